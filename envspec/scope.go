package envspec

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lazyregexp"
)

// scope is what one folder declares: the root's, or a template's. Names never cross it but
// through inputs and outputs.
type scope struct {
	spec   *Spec
	path   string // of templates, as in addr.Addr.Template; "" at the root
	dir    string
	parent *scope
	call   *decl // the template block in parent

	env         *decl
	variables   map[string]*variable
	locals      map[string]*local
	credentials map[string]*decl
	volumes     map[string]*decl
	resources   map[addr.Kind]map[string]*decl
	templates   map[string]*decl
	outputs     map[string]*decl
	all         []*decl // every labelled block but variables, in the order of the source

	functions map[string]function.Function
	base      *hcl.EvalContext // of every view: the functions alone
}

// decl is one block at the top of a file.
type decl struct {
	scope  *scope
	kind   *block
	name   string
	block  *hclsyntax.Block
	uses   *uses  // what its body refers to
	inside *scope // of a template

	eachAttr  *hclsyntax.Attribute
	instances []*instance // one, or with for_each one a key, sorted
	// ports by label; nil where a dynamic block makes them.
	portNames    []string
	dynamicPorts bool
	used         bool
	external     string // of a volume
}

// local is one argument of a locals block.
type local struct {
	scope *scope
	attr  *hclsyntax.Attribute
	uses  *uses
	// addressed says that an endpoint or a credential may be in it, so that it has a vantage.
	addressed bool
	state     visit
}

type visit int

const (
	unvisited visit = iota
	visiting
	visited
)

// loadScope reads a folder's blocks, and those of the templates that it uses. The scope is nil
// where nothing could be made of it.
func (s *Spec) loadScope(path, dir string, files []string, call *decl) (*scope, hcl.Diagnostics) {
	bodies, diags := s.parse(files)
	if diags.HasErrors() {
		return nil, diags
	}
	sc := &scope{
		spec: s, path: path, dir: dir,
		variables: map[string]*variable{}, locals: map[string]*local{}, credentials: map[string]*decl{}, volumes: map[string]*decl{},
		resources: map[addr.Kind]map[string]*decl{},
		templates: map[string]*decl{}, outputs: map[string]*decl{},
	}
	for _, kind := range resourceKinds {
		sc.resources[kind] = map[string]*decl{}
	}
	if call != nil {
		sc.parent, sc.call = call.scope, call
	}
	sc.functions = s.functions(sc)
	sc.base = &hcl.EvalContext{Functions: sc.functions}
	lang := s.language
	for _, body := range bodies {
		diags = append(diags, checkStructure(body, lang, body.SrcRange, "A spec")...)
		for _, b := range body.Blocks {
			if kind := lang.block(b.Type); kind != nil {
				if isResource(b.Type) {
					slim(b.Body)
				}
				diags = append(diags, sc.declare(kind, b)...)
			}
		}
	}
	if path == "" && sc.env == nil && len(bodies) > 0 {
		at := bodies[0].SrcRange
		at.End = at.Start
		diags = append(diags, fault(CodeMissing, at, "The environment has no name", "A spec has one environment block: write environment \"my-project\" { }."))
	}
	for _, t := range slices.SortedFunc(maps.Values(sc.templates), bySource) {
		diags = append(diags, sc.loadTemplate(t)...)
	}
	return sc, diags
}

func bySource(a, b *decl) int {
	ra, rb := a.block.TypeRange, b.block.TypeRange
	if ra.Filename != rb.Filename {
		if ra.Filename < rb.Filename {
			return -1
		}
		return 1
	}
	return ra.Start.Byte - rb.Start.Byte
}

var identifier = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_-]*$`)

// declare enters a block under its name.
func (sc *scope) declare(kind *block, b *hclsyntax.Block) hcl.Diagnostics {
	if kind.Name == "locals" {
		return sc.declareLocals(b)
	}
	if len(b.Labels) != 1 {
		if kind.Name == "environment" && sc.env == nil {
			sc.env = &decl{scope: sc, kind: kind, block: b}
		}
		return nil // checkStructure said so
	}
	name := b.Labels[0]
	var diags hcl.Diagnostics
	if kind.Name == "environment" && sc.env == nil && !identifier.MatchString(name) {
		sc.env = &decl{scope: sc, kind: kind, name: name, block: b} // so that it does not count as missing too
	}
	if !identifier.MatchString(name) {
		if name != "" {
			diags = append(diags, fault(CodeName, b.LabelRanges[0], "Not a name", "%q cannot be a name. A name starts with a letter, and letters, digits, \"_\" and \"-\" follow.", name))
		}
		return diags
	}
	d := &decl{scope: sc, kind: kind, name: name, block: b, eachAttr: b.Body.Attributes["for_each"]}
	var before *decl
	switch kind.Name {
	case "environment":
		if before = sc.env; before == nil {
			sc.env = d
		}
	case "variable":
		if v := sc.variables[name]; v != nil {
			before = v.decl
		} else {
			sc.variables[name] = &variable{decl: d}
		}
	case "container", "job", "windows":
		before = enter(sc.resources[addr.Kind(kind.Name)], d)
	case "credential":
		before = enter(sc.credentials, d)
	case "volume":
		before = enter(sc.volumes, d)
	case "template":
		before = enter(sc.templates, d)
	case "output":
		before = enter(sc.outputs, d)
	}
	if before != nil {
		if kind.Name == "environment" {
			return append(diags, fault(CodeDuplicate, b.DefRange(), "Two environments", "A spec has one environment block; the other is at %s. A folder holds one spec.", place(before.block.TypeRange)))
		}
		return append(diags, fault(CodeDuplicate, b.DefRange(), "Duplicate name", "%s %q is already declared at %s. Give one of them another name.", kind.Name, name, place(before.block.TypeRange)))
	}
	d.findPorts()
	sc.all = append(sc.all, d)
	return diags
}

func enter(into map[string]*decl, d *decl) *decl {
	if before := into[d.name]; before != nil {
		return before
	}
	into[d.name] = d
	return nil
}

func (sc *scope) declareLocals(b *hclsyntax.Block) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, a := range sortedAttrs(b.Body.Attributes) {
		if before := sc.locals[a.Name]; before != nil {
			diags = append(diags, fault(CodeDuplicate, a.NameRange, "Duplicate name", "local.%s is already declared at %s. Give one of them another name.", a.Name, place(before.attr.NameRange)))
			continue
		}
		sc.locals[a.Name] = &local{scope: sc, attr: a}
	}
	return diags
}

// findPorts lists the ports that the block writes out.
func (d *decl) findPorts() {
	for _, b := range d.block.Body.Blocks {
		switch {
		case b.Type == "port" && len(b.Labels) == 1:
			d.portNames = append(d.portNames, b.Labels[0])
		case b.Type == "dynamic" && len(b.Labels) == 1 && b.Labels[0] == "port":
			d.dynamicPorts = true
		}
	}
}

// names gives the keys of a map, sorted.
func names[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
