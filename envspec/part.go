package envspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// part is a reference whose value is had without the object around it: container.db.port.sql.address
// is one string, and the rest of container.db need not be made for each reader. The reference is
// rewritten as one variable of that long name, which no spec can declare.
type part struct {
	variable   string
	root, name string
	// rest are the steps after the name, but for a key.
	rest hcl.Traversal
	key  string // of a resource with for_each
	// each says that the reference is container.NAME[each.key], of which only that element is made.
	each bool
}

// rewritten is a traversal and the variable that takes its place.
type rewritten struct {
	first    *hcl.Traverser
	variable string
}

// use notes a reference that resolved.
func (r *resolver) use(root, name string, t hcl.Traversal) {
	p, ok := r.part(root, name, t)
	r.uses.add(root, name, t.SourceRange(), !ok)
	if ok {
		r.uses.addPart(p)
		r.rewrites = append(r.rewrites, rewritten{&t[0], p.variable})
	}
}

func (r *resolver) part(root, name string, t hcl.Traversal) (part, bool) {
	p := part{root: root, name: name, rest: t[2:], variable: root + "." + name}
	switch root {
	case "var", "local":
		return p, len(t) == 2
	case "credential":
		last, _ := stepName(t, 2)
		if d := r.scope.credentials[name]; d == nil || len(t) != 3 || d.eachAttr != nil || last != "username" && last != "password" {
			return p, false
		}
	default:
		d := r.scope.resources[addr.Kind(root)][name]
		if d == nil {
			return p, false // a mistake, or each and path
		}
		if len(t) == 2 && slices.Contains(r.byEach, &t[0]) {
			p.each = true
			p.variable += "[each.key]"
			return p, true
		}
		if d.eachAttr != nil {
			if p.key, _ = stepName(t, 2); p.key == "" {
				return p, false
			}
			p.rest = t[3:]
			p.variable += "[" + quote(p.key) + "]"
		}
		if !d.hasPart(p.rest) {
			return p, false
		}
	}
	for i := range p.rest {
		step, _ := stepName(p.rest, i)
		p.variable += "." + step
	}
	return p, true
}

// hasPart reports whether a resource has what the steps lead to, whatever its arguments come to.
func (d *decl) hasPart(rest hcl.Traversal) bool {
	if len(rest) != 3 && len(rest) != 4 {
		return false
	}
	port, _ := stepName(rest, 1)
	last, _ := stepName(rest, len(rest)-1)
	third, _ := stepName(rest, 2)
	if (third == "from_host") != (len(rest) == 4) || !slices.Contains(d.portNames, port) || !slices.Contains(fromHostParts, last) {
		return false
	}
	return last != "url" || d.literalScheme(port)
}

// literalScheme reports whether the port is written with a scheme that is plain text.
func (d *decl) literalScheme(port string) bool {
	for _, b := range d.block.Body.Blocks {
		if b.Type == "port" && len(b.Labels) == 1 && b.Labels[0] == port && b.Body.Attributes["scheme"] != nil {
			_, ok := stringLiteral(b.Body.Attributes["scheme"].Expr)
			return ok
		}
	}
	return false
}

// indexedByEach finds what an expression indexes by each.key.
func indexedByEach(e hclsyntax.Expression) (out []*hcl.Traverser) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		if i, ok := n.(*hclsyntax.IndexExpr); ok {
			of, isName := i.Collection.(*hclsyntax.ScopeTraversalExpr)
			key, isKey := i.Key.(*hclsyntax.ScopeTraversalExpr)
			if isName && isKey && len(key.Traversal) == 2 && key.Traversal.RootName() == "each" {
				if step, _ := stepName(key.Traversal, 1); step == "key" {
					out = append(out, &of.Traversal[0])
				}
			}
		}
		return nil
	})
	return out
}

// rewrite puts the variable in the place of a reference that is one.
func (r *resolver) rewrite(e *hclsyntax.ScopeTraversalExpr) {
	for _, w := range r.rewrites {
		if w.first == &e.Traversal[0] {
			e.Traversal = hcl.Traversal{hcl.TraverseRoot{Name: w.variable, SrcRange: e.SrcRange}}
			return
		}
	}
}

// part gives a part's value; cty.NilVal where that has no place in a static evaluation.
func (v *view) part(p *part, each *eachValue) cty.Value {
	if !isResource(p.root) {
		val := v.value(p.root, p.name)
		if val == cty.NilVal || len(p.rest) == 0 {
			return val
		}
		out, diags := p.rest.TraverseRel(val)
		return v.eval.settle(out, diags)
	}
	if v.eval.static() {
		return cty.NilVal
	}
	d := v.scope.resources[addr.Kind(p.root)][p.name]
	if d == nil || d.instances == nil {
		return cty.DynamicVal
	}
	key := p.key
	if p.each && each != nil {
		key = each.key
	}
	in := v.eval.spec.byAddr[addr.Addr{Template: v.scope.path, Kind: addr.Kind(p.root), Name: p.name, Key: key}]
	switch {
	case p.each && in == nil:
		return v.value(p.root, p.name) // HCL says that there is no such key
	case in == nil:
		return cty.DynamicVal // checkKeys said so
	case p.each:
		return cty.ObjectVal(map[string]cty.Value{key: v.instance(in)})
	}
	name, _ := stepName(p.rest, 1)
	i := slices.IndexFunc(in.ports, func(x Port) bool { return x.Name == name })
	if i < 0 {
		return cty.DynamicVal // the port is wrong, which has been reported
	}
	to := addr.Endpoint{Addr: in.addr, Port: name}
	last, _ := stepName(p.rest, len(p.rest)-1)
	if len(p.rest) == 4 {
		return v.eval.fromHost(to, in.ports[i]).GetAttr(last)
	}
	host, port := v.eval.addresses.Address(v.at, to)
	return addressPart(last, host, port, in.ports[i].Scheme).Mark(wireMark{to: to})
}
