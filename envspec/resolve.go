package envspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// resolver checks the names in one body: that what it refers to is there, and may be read from
// there. It decides no wires; those come from the values.
type resolver struct {
	scope     *scope
	uses      *uses
	each      bool     // the block has for_each
	iterators []string // of the dynamic blocks around
	nothing   string   // where set, why nothing may be referred to
	diags     hcl.Diagnostics

	// Of the expression at hand: whether it is text with ${…} in it, what it indexes by each.key, and the references that are rewritten.
	inText   bool
	byEach   []*hcl.Traverser
	rewrites []rewritten
}

// body resolves the names in a block's arguments and in the blocks below it.
func (r *resolver) body(b *hclsyntax.Body, s *block, static bool) {
	static = static || s.Static
	for _, a := range sortedAttrs(b.Attributes) {
		as := s.attr(a.Name)
		switch {
		case as == nil && !s.Free:
		case as == nil:
			r.attr(a, &attribute{}, static)
		case as.Literal:
		case a.Name == "for_each" && s.Name != "dynamic":
			outer := resolver{scope: r.scope, uses: r.uses, nothing: r.nothing}
			outer.attr(a, as, true)
			r.diags = append(r.diags, outer.diags...)
		default:
			r.attr(a, as, static || as.Static)
		}
	}
	for _, c := range b.Blocks {
		if kind := s.block(c.Type); kind != nil {
			r.body(c.Body, kind, static)
		} else if c.Type == "dynamic" && len(c.Labels) == 1 && s.block(c.Labels[0]) != nil {
			r.dynamic(c, s.block(c.Labels[0]), static)
		}
	}
}

func (r *resolver) dynamic(b *hclsyntax.Block, kind *block, static bool) {
	ds := dynamicBlock(kind)
	if a := b.Body.Attributes["for_each"]; a != nil {
		r.attr(a, ds.attr("for_each"), static || kind.Static)
	}
	r.iterators = append(r.iterators, iteratorName(b))
	if a := b.Body.Attributes["labels"]; a != nil {
		r.attr(a, ds.attr("labels"), static || kind.Static)
	}
	for _, c := range b.Body.Blocks {
		if c.Type == "content" {
			r.body(c.Body, kind, static)
		}
	}
	r.iterators = r.iterators[:len(r.iterators)-1]
}

// iteratorName is the name by which a dynamic block's content reads its element.
func iteratorName(b *hclsyntax.Block) string {
	if a := b.Body.Attributes["iterator"]; a != nil {
		if name := hcl.ExprAsKeyword(a.Expr); name != "" {
			return name
		}
	}
	return b.Labels[0]
}

// attr resolves the names in one argument. What does not resolve is not evaluated, so that a
// mistake shows once.
func (r *resolver) attr(a *hclsyntax.Attribute, as *attribute, static bool) {
	a.Expr = r.expr(a.Expr, as, static)
}

// expr resolves an expression, each element of a map or a list by itself, so that one that is wrong
// does not hide what is wrong with the others.
func (r *resolver) expr(e hclsyntax.Expression, as *attribute, static bool) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.ObjectConsExpr:
		guardNode(e)
		for i, item := range e.Items {
			e.Items[i].KeyExpr = r.leaf(item.KeyExpr, as, static)
			e.Items[i].ValueExpr = r.expr(item.ValueExpr, as, static)
		}
		return e
	case *hclsyntax.TupleConsExpr:
		for i, item := range e.Exprs {
			e.Exprs[i] = r.expr(item, as, static)
		}
		return e
	}
	return r.leaf(e, as, static)
}

// leaf resolves an expression that is not a map or a list, and puts its guards into it.
func (r *resolver) leaf(e hclsyntax.Expression, as *attribute, static bool) hclsyntax.Expression {
	switch x := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e
	case *hclsyntax.TemplateExpr:
		if x.IsStringLiteral() {
			return e
		}
	case *hclsyntax.ObjectConsKeyExpr:
		if hcl.ExprAsKeyword(x.Wrapped) != "" && !x.ForceNonLiteral {
			return e
		}
	}
	before := len(r.diags)
	r.inText = isText(e)
	r.rewrites, r.byEach = r.rewrites[:0], nil
	if x, ok := e.(*hclsyntax.ScopeTraversalExpr); ok {
		r.traversal(x.Traversal, as, static)
		r.rewrite(x)
	} else {
		if r.each {
			r.byEach = indexedByEach(e)
		}
		for _, t := range e.Variables() {
			r.traversal(t, as, static)
		}
		r.walk(e)
	}
	if len(r.diags) > before {
		return unresolved{e}
	}
	return e
}

// isText reports whether an expression is text with ${…} in it.
func isText(e hclsyntax.Expression) bool {
	switch e.(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
		return true
	}
	return false
}

// unresolved stands for an expression in which something does not resolve: that has been reported,
// so its value is unknown and says nothing more.
type unresolved struct{ hclsyntax.Expression }

// Value implements hclsyntax.Expression.
func (unresolved) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) { return cty.DynamicVal, nil }

// walk checks the names of functions, puts guards round what decides, and rewrites references.
func (r *resolver) walk(e hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		guardNode(n)
		if x, ok := n.(*hclsyntax.ScopeTraversalExpr); ok {
			r.rewrite(x)
			return nil
		}
		if x, ok := n.(*hclsyntax.SplatExpr); ok {
			r.splat(x)
			return nil
		}
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok {
			return nil
		}
		if _, ok := r.scope.functions[call.Name]; !ok {
			r.report(CodeUnknownFunction, call.NameRange, "Unknown function", "There is no function %q.%s", call.Name, didYouMean(call.Name, names(r.scope.functions)))
		}
		return nil
	})
}

func (r *resolver) report(code Code, at hcl.Range, summary, detail string, args ...any) {
	r.diags = append(r.diags, fault(code, at, summary, detail, args...))
}
