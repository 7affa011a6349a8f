package envspec

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// slim makes plain text in a resource's body one node in place of two, which is most of what a large spec
// holds, and no longer copied each time that it is evaluated.
func slim(b *hclsyntax.Body) {
	for _, a := range b.Attributes {
		a.Expr = slimExpr(a.Expr)
	}
	for _, c := range b.Blocks {
		slim(c.Body)
	}
}

func slimExpr(e hclsyntax.Expression) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			text := e.Parts[0].(*hclsyntax.LiteralValueExpr)
			text.SrcRange = e.SrcRange // with the quotes
			return text
		}
	case *hclsyntax.TupleConsExpr:
		for i, item := range e.Exprs {
			e.Exprs[i] = slimExpr(item)
		}
	case *hclsyntax.ObjectConsExpr:
		for i, item := range e.Items {
			e.Items[i].ValueExpr = slimExpr(item.ValueExpr)
		}
	}
	return e
}
