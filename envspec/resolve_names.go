package envspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// roots are the first words that a reference may have.
var roots = []string{"var", "local", "path", "each", "credential", "container", "job", "windows", "volume", "template"}

func (r *resolver) traversal(t hcl.Traversal, as *attribute, static bool) {
	root, at := t.RootName(), t.SourceRange()
	if slices.Contains(r.iterators, root) {
		return
	}
	if !slices.Contains(roots, root) {
		r.unknownRoot(root, t)
		return
	}
	if r.nothing != "" {
		r.report(CodeNotStatic, at, "No references here", "%s", r.nothing)
		return
	}
	name, ok := stepName(t, 1)
	if !ok {
		r.report(CodeUnknownReference, at, "A name is missing", "%q alone is not a value: write %s.NAME.", root, root)
		return
	}
	sc := r.scope
	switch root {
	case "path":
		if name != "spec" {
			r.report(CodeUnknownReference, at, "Unknown reference", "There is path.spec, the spec's folder, and no other.")
		}
	case "each":
		if !r.each {
			r.report(CodeUnknownReference, at, "No for_each here", "%q stands for an element of the block's for_each, and this block has none.", "each."+name)
		} else if name != "key" && name != "value" {
			r.report(CodeUnknownReference, at, "Unknown reference", "There is no each.%s. An element has each.key and each.value.", name)
		}
	case "var":
		v := sc.variables[name]
		if v == nil {
			r.report(CodeUnknownReference, stepRange(t, 1), "Unknown variable", "There is no variable %q.%s", name, orSay(didYouMean(name, names(sc.variables)), " Declare it with variable "+quote(name)+" { }."))
			return
		}
		v.used = true
		if static && v.addressed {
			r.notStatic(at, as, "The input behind var."+name+" holds an address or a credential")
		}
	case "local":
		l := sc.locals[name]
		if l == nil {
			r.report(CodeUnknownReference, stepRange(t, 1), "Unknown local", "There is no local %q.%s", name, choices(name, names(sc.locals)))
			return
		}
		if static && l.addressed {
			r.notStatic(at, as, "local."+name+" holds an address or a credential")
		}
	case "credential":
		r.credential(name, t, as, static)
	case "volume":
		r.volume(name, t, as)
	case "template":
		r.template(name, t, as, static)
		return
	default:
		r.resource(addr.Kind(root), name, t, as, static)
	}
	r.use(root, name, t)
}

func (r *resolver) notStatic(at hcl.Range, as *attribute, why string) {
	what := "What exists"
	if as.Name != "" {
		what = "\"" + as.Name + "\""
	}
	r.report(CodeNotStatic, at, "No address here",
		"%s. %s is settled before there are addresses and credentials: it takes variables, functions, and locals without them.", why, what)
}

// stepName gives the name in a traversal's step, written .name or ["name"].
func stepName(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// foreignRoots say what to write for what other tools call something else.
var foreignRoots = map[string]string{
	"count":     "Use for_each, and each.key in the body.",
	"module":    "A template's output is template.NAME.OUTPUT.",
	"self":      "A resource names its own port as others do: container.NAME.port.PORT.address.",
	"output":    "An output is read by who runs envctl, not by the spec. Put its value into a local and use that in both places.",
	"data":      "What is there already is named where it is used: an image, a machine's address, a volume with external.",
	"resource":  "A resource is container.NAME, job.NAME or windows.NAME.",
	"service":   "A resource is container.NAME, job.NAME or windows.NAME.",
	"services":  "A resource is container.NAME, job.NAME or windows.NAME.",
	"variable":  "A variable is read as var.NAME.",
	"locals":    "A local is read as local.NAME.",
	"terraform": "The environment's name and instance are envctl's own; take a variable for what differs.",
	"env":       "A variable of the host's environment is env(\"NAME\").",
	"this":      "A resource names its own port as others do: container.NAME.port.PORT.address.",
}

func (r *resolver) unknownRoot(root string, t hcl.Traversal) {
	at, sc := t.SourceRange(), r.scope
	if found := sc.named(root); found != "" {
		r.report(CodeUnknownReference, at, "Unknown reference", "There is no %q. Did you mean %s?", root, found)
		return
	}
	if hint := foreignRoots[root]; hint != "" {
		r.report(CodeUnknownReference, stepRange(t, 0), "Unknown reference", "There is no %q here. %s", root, hint)
		return
	}
	known := append(slices.Clone(roots), r.iterators...)
	otherwise := " A reference starts with " + list(roots, "or") + "."
	switch {
	case r.inText && root == strings.ToUpper(root):
		otherwise = fmt.Sprintf(" A variable of the host's environment is ${env(%q)}. Text that has ${%s} itself is written $${%s}.", root, root, root)
	case r.inText:
		otherwise = fmt.Sprintf(" Text that has ${%s itself is written $${%s.", root, root)
	case len(t) == 1:
		otherwise = " If it is text, put it in quotes."
	}
	r.report(CodeUnknownReference, stepRange(t, 0), "Unknown reference", "There is no %q.%s", root, orSay(didYouMean(root, known), otherwise))
}

// named gives the reference to what has that name, or "".
func (sc *scope) named(name string) string {
	if found := sc.resourceNamed(name); found != "" {
		return found
	}
	switch {
	case sc.locals[name] != nil:
		return "local." + name
	case sc.variables[name] != nil:
		return "var." + name
	case sc.credentials[name] != nil:
		return "credential." + name
	case sc.volumes[name] != nil:
		return "volume." + name
	}
	return ""
}

// resourceNamed gives the reference to the resource of that name, or "".
func (sc *scope) resourceNamed(name string) string {
	for _, kind := range resourceKinds {
		if sc.resources[kind][name] != nil {
			return string(kind) + "." + name
		}
	}
	return ""
}

// orSay gives the first that is not empty.
func orSay(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// stepRange gives where one word of a reference stands, without its dot.
func stepRange(t hcl.Traversal, i int) hcl.Range {
	switch s := t[i].(type) {
	case hcl.TraverseRoot:
		return s.SrcRange
	case hcl.TraverseAttr:
		at := s.SrcRange
		if at.End.Byte-at.Start.Byte > len(s.Name) {
			at.Start.Byte++
			at.Start.Column++
		}
		return at
	case hcl.TraverseIndex:
		return s.SrcRange
	}
	return t.SourceRange()
}

func (r *resolver) credential(name string, t hcl.Traversal, as *attribute, static bool) {
	at, d := t.SourceRange(), r.scope.credentials[name]
	if d == nil {
		r.report(CodeUnknownReference, stepRange(t, 1), "Unknown credential", "There is no credential %q.%s", name, choices(name, names(r.scope.credentials)))
		return
	}
	d.used = true
	if static {
		instead := "It takes variables, functions, and locals without addresses or credentials."
		if as.Instead != "" {
			instead = as.Instead
		}
		r.report(CodeNotStatic, at, "No credential here", "%q is decided before any credential has its value, and would show it. %s", as.Name, instead)
		return
	}
	next, ok := r.instanceStep(d, t)
	if !ok || next == len(t) {
		if ok && as.Type != credentialRef && (d.eachAttr == nil || next > 2) {
			r.report(CodeWholeResource, at, "A whole credential is not a value", "Write credential.%s.username or credential.%s.password.", name, name)
		}
		return
	}
	if part, _ := stepName(t, next); part != "username" && part != "password" {
		r.report(CodeUnknownReference, stepRange(t, next), "Unknown reference", "A credential has .username and .password.%s", didYouMean(part, []string{"username", "password"}))
	}
}

func (r *resolver) template(name string, t hcl.Traversal, as *attribute, static bool) {
	at, d := t.SourceRange(), r.scope.templates[name]
	if d == nil {
		r.report(CodeUnknownReference, stepRange(t, 1), "Unknown template", "There is no template %q.%s", name, choices(name, names(r.scope.templates)))
		return
	}
	if static {
		r.notStatic(at, as, "A template's output may hold an address")
		return
	}
	if d.inside == nil {
		return // why is reported where the template is loaded
	}
	output, ok := stepName(t, 2)
	if !ok {
		r.report(CodeWholeResource, at, "A whole template is not a value", "Name one of its outputs: %s.", list(names(d.inside.outputs), "or"))
		return
	}
	r.uses.add("template", name+"."+output, at, true)
	if d.inside.outputs[output] == nil {
		r.report(CodeUnknownReference, stepRange(t, 2), "Unknown output", "The template %q has no output %q.%s", name, output, choices(output, names(d.inside.outputs)))
	}
}
