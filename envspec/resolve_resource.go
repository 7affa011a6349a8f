package envspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/near"
)

// What an endpoint has, and what of it the host's own view has.
var (
	endpointParts = []string{"address", "host", "port", "url", "scheme", "guest", "from_host"}
	fromHostParts = []string{"address", "host", "port", "url"}
)

// keyUse is a for_each key that is written out; whether it exists is known once for_each is evaluated.
type keyUse struct {
	decl *decl
	key  string
	at   hcl.Range
	// missing says that there is no such key, which has been reported.
	missing bool
}

// resource resolves container.NAME.port.PORT.PART and what may be wrong with it.
func (r *resolver) resource(kind addr.Kind, name string, t hcl.Traversal, as *attribute, static bool) {
	at, d := t.SourceRange(), r.scope.resources[kind][name]
	if d == nil {
		r.unknownResource(kind, name, stepRange(t, 1))
		return
	}
	if static {
		r.notStatic(at, as, "What can be read of "+string(kind)+"."+name+" is an address, which depends on who asks")
		return
	}
	i, ok := r.instanceStep(d, t)
	if !ok {
		return
	}
	path := string(kind) + "." + name
	if kind == addr.Job {
		r.report(CodeWholeResource, at, "A job is not a value", "Nothing of %s can be read. To start after it is done, write depends_on = [%s].", path, path)
		return
	}
	if i == len(t) {
		if d.eachAttr == nil || i > 2 {
			r.report(CodeWholeResource, at, "A whole resource is not a value", "Name what you need of it: %s.%s", path, d.portExample())
		}
		return
	}
	if step, _ := stepName(t, i); step != "port" {
		r.notExported(d, step, stepRange(t, i))
		return
	}
	port, ok := stepName(t, i+1)
	if !ok && i+1 < len(t) {
		if index, isIndex := t[i+1].(hcl.TraverseIndex); isIndex {
			r.report(CodeUnknownReference, index.SrcRange, "Unknown port", "A port is named by its name, not its number: %s.%s", path, d.portExample())
		}
		return
	}
	if !ok {
		return // a splat or a computed index: its value will tell
	}
	if d.dynamicPorts && !slices.Contains(d.portNames, port) {
		return
	}
	if !slices.Contains(d.portNames, port) {
		r.unknownPort(d, port, stepRange(t, i+1))
		return
	}
	r.endpointPart(d, port, t, i+2)
}

func (r *resolver) unknownResource(kind addr.Kind, name string, at hcl.Range) {
	if other := r.scope.resourceNamed(name); other != "" {
		r.report(CodeUnknownReference, at, "Unknown resource", "There is no %s.%s. Did you mean %s?", kind, name, other)
		return
	}
	r.report(CodeUnknownReference, at, "Unknown resource", "There is no %s %q.%s", kind, name,
		orSay(choices(name, names(r.scope.resources[kind])), " Declare it: "+string(kind)+" "+quote(name)+" { … }."))
}

// instanceStep checks the key of what has for_each, and gives the step after it.
func (r *resolver) instanceStep(d *decl, t hcl.Traversal) (int, bool) {
	if len(t) == 2 {
		return 2, true
	}
	path := d.kind.Name + "." + d.name
	index, isIndex := t[2].(hcl.TraverseIndex)
	if d.eachAttr == nil {
		if isIndex {
			if s, ok := stepName(t, 2); ok && (s == "port" || s == "username" || s == "password") {
				return 2, true
			}
			r.report(CodeUnknownReference, index.SrcRange, "No for_each there", "%s has no for_each, so there is only one: write %s without the index.", path, path)
			return 0, false
		}
		return 2, true
	}
	key, ok := stepName(t, 2)
	if ok && !isIndex {
		r.report(CodeUnknownReference, t.SourceRange(), "A key is missing", "%s has for_each, so there is one for each key: write %s[\"KEY\"].%s.", path, path, key)
		return 0, false
	}
	if ok {
		r.scope.spec.keyUses = append(r.scope.spec.keyUses, keyUse{decl: d, key: key, at: t.SourceRange()})
	}
	return 3, true
}

// splat refuses one over what has for_each: that is a map, of which HCL would take the whole for the one element.
func (r *resolver) splat(x *hclsyntax.SplatExpr) {
	of, ok := x.Source.(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(of.Traversal) != 2 {
		return
	}
	name, _ := stepName(of.Traversal, 1)
	d := r.scope.resources[addr.Kind(of.Traversal.RootName())][name]
	if of.Traversal.RootName() == "credential" {
		d = r.scope.credentials[name]
	}
	if d != nil && d.eachAttr != nil {
		path := d.kind.Name + "." + d.name
		r.report(CodeType, x.Range(), "A map, not a list", "%s has for_each, so it is a map by its keys. Its elements are values(%s)[*].", path, path)
	}
}

// portExample is what a reference to the resource could go on with.
func (d *decl) portExample() string {
	port := "NAME"
	if len(d.portNames) > 0 {
		port = d.portNames[0]
	}
	return "port." + port + ".address"
}

// notExported says what to do instead of reading into a resource's body.
func (r *resolver) notExported(d *decl, step string, at hcl.Range) {
	path := d.kind.Name + "." + d.name
	switch {
	case slices.Contains(d.portNames, step):
		r.report(CodeUnknownReference, at, "Unknown reference", "%s has no %q. Did you mean %s.port.%s?", path, step, path, step)
	case slices.Contains(endpointParts, step):
		r.report(CodeUnknownReference, at, "Which port?", "A resource may have several ports, so name one: %s.%s", path, d.portExample())
	case near.Of(step, []string{"port"}) != "":
		r.report(CodeUnknownReference, at, "Unknown reference", "%s has no %q. Did you mean %s.%s?", path, step, path, d.portExample())
	case d.kind.attr(step) != nil || d.kind.block(step) != nil:
		r.report(CodeUnknownReference, at, "A resource exports only its ports", "What is in the body of %s cannot be read from outside. Put the value of %q into a local, and use the local in both places.", path, step)
	default:
		r.report(CodeUnknownReference, at, "Unknown reference", "%s has no %q. A resource exports its ports: %s.%s", path, step, path, d.portExample())
	}
}

func (r *resolver) unknownPort(d *decl, port string, at hcl.Range) {
	path := d.kind.Name + "." + d.name
	if len(d.portNames) == 0 {
		r.report(CodeUnknownReference, at, "Unknown port", "%s declares no port. Add port %q { guest = … } to it.", path, port)
		return
	}
	r.report(CodeUnknownReference, at, "Unknown port", "%s has no port %q.%s", path, port, choices(port, d.portNames))
}

func (r *resolver) endpointPart(d *decl, port string, t hcl.Traversal, i int) {
	part, ok := stepName(t, i)
	if !ok {
		return
	}
	path := d.kind.Name + "." + d.name + ".port." + port
	parts := endpointParts
	if part == "from_host" {
		i++
		path += ".from_host"
		parts = fromHostParts
		if part, ok = stepName(t, i); !ok {
			return
		}
	}
	at := stepRange(t, i)
	if !slices.Contains(parts, part) {
		r.report(CodeUnknownReference, at, "Unknown reference", "%s has no %q.%s", path, part, choices(part, parts))
		return
	}
	if (part == "url" || part == "scheme") && !d.hasScheme(port) {
		r.report(CodeUnknownReference, at, "The port has no scheme", "%s has no %q because the port names no scheme. Add scheme = \"http\", or what it speaks, to port %q of %s.%s.", path, part, port, d.kind.Name, d.name)
	}
}

// hasScheme reports whether the port is written with a scheme.
func (d *decl) hasScheme(port string) bool {
	for _, b := range d.block.Body.Blocks {
		if b.Type == "port" && len(b.Labels) == 1 && b.Labels[0] == port {
			return b.Body.Attributes["scheme"] != nil
		}
	}
	return true
}
