package envspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/secret"
)

// strings reads a list of plain text; nil where it is left out.
func (r *reader) strings(name string) []string {
	texts, ok := r.texts(name)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(texts))
	places := listPlaces(r.body.Attributes[name].Expr)
	for i, t := range texts {
		if t.Sensitive {
			at := r.rangeOf(name)
			if len(places) == len(texts) {
				at = places[i]
			}
			r.refuseSecret(name, at)
			continue
		}
		out = append(out, t.Value)
	}
	return out
}

// texts reads a list of text that may be secret.
func (r *reader) texts(name string) ([]secret.Text, bool) {
	v, ok := r.raw(name)
	if !ok {
		return nil, false
	}
	return r.textList(v, r.body.Attributes[name].Expr, quote(name))
}

func (r *reader) textList(v cty.Value, expr hclsyntax.Expression, what string) ([]secret.Text, bool) {
	at := expr.Range()
	v, marks := v.Unmark()
	hush := r.marks(marks, at)
	if !v.IsKnown() {
		return nil, false
	}
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		plain, deep := r.collect(v, at)
		r.report(fault(CodeType, at, "The wrong type", "%s must be a list of strings such as [\"a\", \"b\"], and this is %s.", what, describe(plain, hush || deep)))
		return nil, false
	}
	places := listPlaces(expr)
	var out []secret.Text
	i := -1
	for it := v.ElementIterator(); it.Next(); {
		i++
		_, el := it.Element()
		where := at
		if i < len(places) {
			where = places[i]
		}
		s, one, ok := r.scalar(el, cty.String, "a string", where, "Each element of "+what)
		if ok {
			out = append(out, secret.Text{Value: s.AsString(), Sensitive: one || hush})
		}
	}
	if out == nil {
		out = []secret.Text{}
	}
	return out, true
}

// textMap reads a map of text that may be secret. What is null is left out.
func (r *reader) textMap(name string) map[string]secret.Text {
	out := map[string]secret.Text{}
	r.eachItem(name, func(key string, el cty.Value, hush bool, at hcl.Range) {
		if text, ok := plainString(el); ok {
			out[key] = secret.Text{Value: text, Sensitive: hush}
			return
		}
		s, one, ok := r.scalar(el, cty.String, "a string", at, quote(key)+" in "+quote(name))
		if ok {
			out[key] = secret.Text{Value: s.AsString(), Sensitive: one || hush}
		}
	})
	if len(out) == 0 {
		return nil
	}
	return out
}

// plainMap reads a map of plain text.
func (r *reader) plainMap(name string) map[string]string {
	texts := r.textMap(name)
	if texts == nil {
		return nil
	}
	out := make(map[string]string, len(texts))
	for _, k := range names(texts) {
		if texts[k].Sensitive {
			r.refuseSecret(name, r.itemRange(name, k))
			continue
		}
		out[k] = texts[k].Value
	}
	return out
}

// eachItem calls do with each element of a map, in the order of the keys.
func (r *reader) eachItem(name string, do func(key string, el cty.Value, hush bool, at hcl.Range)) {
	v, ok := r.raw(name)
	if !ok {
		return
	}
	at := r.rangeOf(name)
	v, marks := v.Unmark()
	hush := r.marks(marks, at)
	if !v.IsKnown() {
		return
	}
	if ty := v.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		plain, deep := r.collect(v, at)
		r.report(fault(CodeType, at, "The wrong type", "%q must be a map such as { NAME = \"value\" }, and this is %s.", name, describe(plain, hush || deep)))
		return
	}
	places := itemPlaces(r.body.Attributes[name].Expr)
	for it := v.ElementIterator(); it.Next(); {
		k, el := it.Element()
		where, key := at, k.AsString()
		if e := places[key]; e != nil {
			where = e.Range()
		}
		do(key, el, hush, where)
	}
}

// itemRange gives where an element of a map stands.
func (r *reader) itemRange(name, key string) hcl.Range {
	if e := itemPlaces(r.body.Attributes[name].Expr)[key]; e != nil {
		return e.Range()
	}
	return r.rangeOf(name)
}

// itemPlaces gives the expressions of a map that is written out, by key.
func itemPlaces(expr hclsyntax.Expression) map[string]hclsyntax.Expression {
	object, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil
	}
	out := make(map[string]hclsyntax.Expression, len(object.Items))
	for _, item := range object.Items {
		if name := hcl.ExprAsKeyword(item.KeyExpr); name != "" {
			out[name] = item.ValueExpr
		} else if len(item.KeyExpr.Variables()) > 0 {
			continue
		} else if k, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && k.Type() == cty.String {
			out[k.AsString()] = item.ValueExpr
		}
	}
	return out
}

func listPlaces(expr hclsyntax.Expression) []hcl.Range {
	tuple, ok := expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		return nil
	}
	out := make([]hcl.Range, len(tuple.Exprs))
	for i, e := range tuple.Exprs {
		out[i] = e.Range()
	}
	return out
}
