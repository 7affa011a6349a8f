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
	for i, t := range texts {
		if t.Sensitive {
			at := r.rangeOf(name)
			if places := r.places(name); len(places) == len(texts) {
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
	return r.textList(v, r.body.Attributes[name].Expr, name)
}

func (r *reader) textList(v cty.Value, expr hclsyntax.Expression, name string) ([]secret.Text, bool) {
	at := expr.Range()
	v, marks := v.Unmark()
	hush := r.marks(marks, at)
	if !v.IsKnown() {
		return nil, false
	}
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		plain, deep := r.collect(v, at)
		hint := " Write one such as [\"a\", \"b\"]."
		if text, ok := plainString(plain); ok && !hush && !deep {
			hint = orSay(r.asList(name, text), hint)
		}
		r.report(fault(CodeType, at, "The wrong type", "%q must be a list of strings, and this is %s.%s", name, describe(plain, hush || deep), hint))
		return nil, false
	}
	out := make([]secret.Text, 0, v.LengthInt())
	i := -1
	for it := v.ElementIterator(); it.Next(); {
		i++
		_, el := it.Element()
		if text, ok := plainString(el); ok {
			r.checkPath(text, listPlace(expr, i))
			out = append(out, secret.Text{Value: text, Sensitive: hush})
			continue
		}
		s, one, ok := r.scalar(el, cty.String, "a string", listPlace(expr, i), "Each element of "+quote(name))
		if ok {
			out = append(out, secret.Text{Value: s.AsString(), Sensitive: one || hush})
		}
	}
	return out, true
}

// textMap reads a map of text that may be secret. What is null is left out.
func (r *reader) textMap(name string) map[string]secret.Text {
	out := map[string]secret.Text{}
	r.eachItem(name, func(key string, el cty.Value, hush bool, at hcl.Range) {
		if text, ok := plainString(el); ok {
			r.checkPath(text, at)
			out[key] = secret.Text{Value: text, Sensitive: hush}
			return
		}
		if kind, mixed := mixture(el); mixed {
			r.report(fault(CodeType, at, "The wrong type", "%q in %q must be a string, and this is %s. Make one of it, with join(\",\", …) or jsonencode(…).", key, name, kind))
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
		separator := "="
		if name == "extra_hosts" {
			separator = ":"
		}
		hint := orSay(asMap(v, separator), " Write one such as { NAME = \"value\" }.")
		r.report(fault(CodeType, at, "The wrong type", "%q must be a map, and this is %s.%s", name, describe(plain, hush || deep), hint))
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		k, el := it.Element()
		key := k.AsString()
		do(key, el, hush, r.itemRange(name, key))
	}
}

// itemRange gives where an element of a map stands.
func (r *reader) itemRange(name, key string) hcl.Range {
	if _, value := r.item(name, key); value != nil {
		return value.Range()
	}
	return r.rangeOf(name)
}

// keyRange gives where the key of an element of a map stands.
func (r *reader) keyRange(name, key string) hcl.Range {
	if written, _ := r.item(name, key); written != nil {
		return written.Range()
	}
	return r.rangeOf(name)
}

// item gives the expressions of an element of a map that is written out; nil where it is not.
func (r *reader) item(name, key string) (written, value hclsyntax.Expression) {
	object, ok := r.body.Attributes[name].Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil, nil
	}
	for _, item := range object.Items {
		if k, ok := writtenKey(item.KeyExpr); ok && k == key {
			return item.KeyExpr, item.ValueExpr
		}
	}
	return nil, nil
}

// writtenKey gives the key of an element of a map where it is written out.
func writtenKey(e hclsyntax.Expression) (string, bool) {
	if name := hcl.ExprAsKeyword(e); name != "" {
		return name, true
	}
	if len(e.Variables()) > 0 {
		return "", false
	}
	if k, diags := e.Value(nil); !diags.HasErrors() && k.Type() == cty.String && k.IsKnown() && !k.IsNull() {
		return k.AsString(), true
	}
	return "", false
}

// listPlace gives where an element of a list stands, or the list where it is not written out.
func listPlace(expr hclsyntax.Expression, i int) hcl.Range {
	if tuple, ok := expr.(*hclsyntax.TupleConsExpr); ok && i < len(tuple.Exprs) {
		return tuple.Exprs[i].Range()
	}
	return expr.Range()
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
