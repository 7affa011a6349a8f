package envspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// guarded refuses a secret where it would decide something that everyone can see: a condition, or
// a key. HCL would only carry the mark on.
type guarded struct {
	hclsyntax.Expression
	what string
}

// Value implements hclsyntax.Expression.
func (g guarded) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := g.Expression.Value(ctx)
	if isSecret(v) {
		return cty.DynamicVal, append(diags, fault(CodeSecret, g.Range(), "A secret cannot be "+g.what,
			"What follows from it would show it. Decide by something that is not secret, such as a variable of its own."))
	}
	return v, diags
}

// wrap puts a guard round an expression. The parentheses keep it in sight of hclsyntax.Walk, which
// goes past the guard to what is inside.
func wrap(e hclsyntax.Expression, what string) guarded {
	return guarded{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, what}
}

// guard puts guards into an expression.
func guard(e hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		guardNode(n)
		return nil
	})
}

// guardNode puts guards round a node's conditions and computed keys.
func guardNode(n hclsyntax.Node) {
	const condition, key = "a condition", "a key"
	switch e := n.(type) {
	case *hclsyntax.ConditionalExpr:
		e.Condition = wrap(e.Condition, condition)
	case *hclsyntax.ForExpr:
		if e.CondExpr != nil {
			e.CondExpr = wrap(e.CondExpr, condition)
		}
		if e.KeyExpr != nil {
			e.KeyExpr = wrap(e.KeyExpr, key)
		}
	case *hclsyntax.IndexExpr:
		e.Key = wrap(e.Key, key)
	case *hclsyntax.ObjectConsExpr:
		for i, item := range e.Items {
			if hcl.ExprAsKeyword(item.KeyExpr) == "" && len(item.KeyExpr.Variables()) > 0 {
				e.Items[i].KeyExpr = wrap(item.KeyExpr, key)
			}
		}
	}
}
