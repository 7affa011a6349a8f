package envspec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/envctl/envctl/internal/addr"
)

// dependsOn reads depends_on: a list of resources, each named and not evaluated.
func (in *instance) dependsOn(r *reader) []addr.Addr {
	a := r.body.Attributes["depends_on"]
	if a == nil {
		return nil
	}
	items, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		r.report(fault(CodeType, a.Expr.Range(), "The wrong type", "\"depends_on\" must be a list of resources, such as [container.db]."))
		return nil
	}
	var out []addr.Addr
	for _, item := range items {
		out = append(out, in.dependency(r, item)...)
	}
	return out
}

func (in *instance) dependency(r *reader, item hcl.Expression) []addr.Addr {
	at, sc := item.Range(), in.decl.scope
	t, diags := hcl.AbsTraversalForExpr(item)
	if diags.HasErrors() {
		e, _ := item.(hclsyntax.Expression)
		if name, ok := stringLiteral(e); ok {
			switch found := sc.resourceNamed(name); {
			case found != "":
				name = found
			case !strings.Contains(name, "."):
				name = "container." + name
			}
			r.report(fault(CodeType, at, "Not a resource", "Write the resource without quotes: %s.", name))
			return nil
		}
		r.report(fault(CodeType, at, "Not a resource", "\"depends_on\" takes resources such as container.db or windows.pas."))
		return nil
	}
	name, ok := stepName(t, 1)
	if ok && t.RootName() == "template" {
		return in.templateDependency(r, name, at)
	}
	if found := sc.resourceNamed(t.RootName()); len(t) == 1 && found != "" {
		r.report(fault(CodeType, at, "Not a resource", "There is no %q. Did you mean %s?", t.RootName(), found))
		return nil
	}
	if !ok || !isResource(t.RootName()) {
		r.report(fault(CodeType, at, "Not a resource", "\"depends_on\" takes resources such as container.db or windows.pas."))
		return nil
	}
	d := sc.resources[addr.Kind(t.RootName())][name]
	if d == nil {
		res := resolver{scope: sc}
		res.unknownResource(addr.Kind(t.RootName()), name, at)
		r.in.diags = append(r.in.diags, res.diags...)
		return nil
	}
	key := ""
	if len(t) > 2 {
		if _, isIndex := t[2].(hcl.TraverseIndex); !isIndex || d.eachAttr == nil || len(t) > 3 {
			r.report(fault(CodeType, at, "Not a resource", "\"depends_on\" takes the whole resource: %s.%s.", t.RootName(), name))
			return nil
		}
		key, _ = stepName(t, 2)
	}
	var out []addr.Addr
	for _, other := range d.instances {
		if len(t) == 2 || other.key == key {
			out = append(out, other.addr)
		}
	}
	switch {
	case len(out) == 0 && len(d.instances) > 0:
		r.report(fault(CodeUnknownReference, at, "Unknown key", "%s.%s has no key %q.", t.RootName(), name, key))
	case slices.Contains(out, in.addr) && len(out) == 1:
		r.report(fault(CodeCycle, at, "It waits for itself", "%s cannot wait for itself to be ready. Take it out.", in.addr))
	}
	return out
}

// templateDependency waits for everything that a template makes.
func (in *instance) templateDependency(r *reader, name string, at hcl.Range) []addr.Addr {
	t := in.decl.scope.templates[name]
	if t == nil {
		r.report(fault(CodeUnknownReference, at, "Unknown template", "There is no template %q.%s", name, didYouMean(name, names(in.decl.scope.templates))))
		return nil
	}
	if t.inside == nil {
		return nil
	}
	var out []addr.Addr
	for _, other := range in.decl.scope.spec.instances {
		if p := other.addr.Template; p == t.inside.path || strings.HasPrefix(p, t.inside.path+".") {
			out = append(out, other.addr)
		}
	}
	return out
}

// cycles refuses resources that wait for each other, each circle once.
func (s *Spec) cycles(after map[addr.Addr][]addr.Addr) hcl.Diagnostics {
	var diags hcl.Diagnostics
	state := map[addr.Addr]visit{}
	var path []addr.Addr
	var walk func(a addr.Addr)
	walk = func(a addr.Addr) {
		state[a] = visiting
		path = append(path, a)
		for _, next := range after[a] {
			switch state[next] {
			case unvisited:
				walk(next)
			case visiting:
				diags = append(diags, s.cycle(path[slices.Index(path, next):]))
			}
		}
		path = path[:len(path)-1]
		state[a] = visited
	}
	for _, a := range slices.SortedFunc(maps.Keys(after), compareAddr) {
		if state[a] == unvisited {
			walk(a)
		}
	}
	return diags
}

// cycle describes a circle as the references that make it.
func (s *Spec) cycle(around []addr.Addr) *hcl.Diagnostic {
	var b strings.Builder
	at := s.byAddr[around[0]].decl.block.DefRange()
	for i, from := range around {
		to := around[(i+1)%len(around)]
		b.WriteString("  " + from.String() + " waits for " + to.String())
		if where, via, ok := s.byAddr[from].reference(to); ok {
			if i == 0 {
				at = where
			}
			b.WriteString(" (" + place(where) + via + ")")
		}
		b.WriteString("\n")
	}
	return fault(CodeCycle, at, "Resources that wait for each other",
		"Nothing can start first:\n%sWhere one of them can start without the other being ready, write unordered(…) round the reference: it keeps the wire and drops the waiting.", b.String())
}

// reference finds a reference in an instance's body by which it waits for to, through locals too.
func (in *instance) reference(to addr.Addr) (at hcl.Range, via string, ok bool) {
	if a := in.decl.block.Body.Attributes["depends_on"]; a != nil {
		items, _ := hcl.ExprList(a.Expr)
		for _, item := range items {
			if t, diags := hcl.AbsTraversalForExpr(item); !diags.HasErrors() && leadsTo(t, to) {
				at, ok = item.Range(), true
			}
		}
	}
	sc := in.decl.scope
	seen := map[*local]bool{}
	var search func(u *uses, first *hcl.Range, path string) bool
	search = func(u *uses, first *hcl.Range, path string) bool {
		for _, x := range u.list {
			where := x.at
			if first != nil {
				where = *first
			}
			if isResource(x.root) && x.root == string(to.Kind) && x.name == to.Name && to.Template == sc.path {
				at, via, ok = where, path, true
				return true
			}
			if l := sc.locals[x.name]; x.root == "local" && l != nil && !seen[l] {
				seen[l] = true
				if search(l.uses, &where, path+", through local."+x.name) {
					return true
				}
			}
		}
		return false
	}
	if !ok && in.decl.uses != nil {
		search(in.decl.uses, nil, "")
	}
	return at, via, ok
}

func leadsTo(t hcl.Traversal, to addr.Addr) bool {
	name, ok := stepName(t, 1)
	return ok && t.RootName() == string(to.Kind) && name == to.Name
}
