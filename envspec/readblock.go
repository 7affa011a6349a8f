package envspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/secret"
)

// blocks gives the blocks inside in the order written, those of dynamic blocks in their place.
// With kinds, only blocks of those kinds.
func (r *reader) blocks(kinds ...string) []*reader {
	var out []*reader
	for _, b := range r.body.Blocks {
		kind := b.Type
		if kind == "dynamic" && len(b.Labels) == 1 {
			kind = b.Labels[0]
		}
		s := r.kind.block(kind)
		if s == nil || len(kinds) > 0 && !contains(kinds, kind) {
			continue
		}
		if b.Type == "dynamic" {
			out = append(out, r.expand(b, s)...)
			continue
		}
		if len(s.Labels) > 0 && len(b.Labels) == 0 && !s.OptionalLabel {
			continue // checkStructure said so
		}
		out = append(out, &reader{in: r.in, kind: s, body: b.Body, labels: blockLabels(b), at: b.DefRange(), ctx: r.ctx})
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// one gives the block of a kind that may stand once, or nil.
func (r *reader) one(kind string) *reader {
	if found := r.blocks(kind); len(found) > 0 {
		return found[0]
	}
	return nil
}

// expand makes the blocks of a dynamic block.
func (r *reader) expand(b *hclsyntax.Block, s *block) []*reader {
	var content *hclsyntax.Block
	for _, c := range b.Body.Blocks {
		if c.Type == "content" {
			content = c
		}
	}
	if content == nil {
		return nil
	}
	dyn := &reader{in: r.in, kind: dynamicBlock(s), body: b.Body, labels: blockLabels(b), at: b.DefRange(), ctx: r.ctx}
	v, ok := dyn.raw("for_each")
	if !ok {
		return nil
	}
	each, ok := dyn.elements(v, dyn.rangeOf("for_each"))
	if !ok {
		return nil
	}
	var out []*reader
	for _, el := range each {
		ctx := r.context().NewChild()
		ctx.Variables = map[string]cty.Value{iteratorName(b): cty.ObjectVal(map[string]cty.Value{"key": el.key, "value": el.value})}
		one := &reader{in: r.in, kind: s, body: content.Body, at: b.DefRange(), ctx: ctx}
		if dyn.has("labels") {
			named := &reader{in: r.in, kind: dyn.kind, body: b.Body, labels: dyn.labels, at: dyn.at, ctx: ctx}
			for _, text := range named.strings("labels") {
				one.labels = append(one.labels, label{text, named.rangeOf("labels")})
			}
		}
		if len(one.labels) < len(s.Labels) && !s.OptionalLabel {
			continue
		}
		out = append(out, one)
	}
	return out
}

type element struct{ key, value cty.Value }

// elements lists what a dynamic block's for_each goes over. A secret may be a value, not a key.
func (r *reader) elements(v cty.Value, at hcl.Range) ([]element, bool) {
	v, marks := v.Unmark()
	if r.marks(marks, at) {
		r.report(fault(CodeSecret, at, "A secret cannot be in for_each", "How many blocks there are would tell of it. Go over something that is not secret, and read the secret inside."))
		return nil, false
	}
	if !v.IsKnown() {
		return nil, false
	}
	if !v.CanIterateElements() {
		r.report(fault(CodeType, at, "The wrong type", "for_each must be a map, a set or a list, and this is %s.", describe(v, false)))
		return nil, false
	}
	var out []element
	for it := v.ElementIterator(); it.Next(); {
		k, el := it.Element()
		if v.Type().IsSetType() {
			k = el
		}
		out = append(out, element{k, el})
	}
	return out, true
}

// login is what a credential reference comes to.
type login struct {
	name     string // the credential's, as in CredentialSource.Name
	username string
	password secret.Text
}

// credential reads a reference to a credential; nil where it is left out or wrong.
func (r *reader) credential(name string) *login {
	v, ok := r.raw(name)
	if !ok {
		return nil
	}
	at := r.rangeOf(name)
	v, _ = v.Unmark()
	if !v.IsKnown() {
		return nil
	}
	ty := v.Type()
	if !ty.IsObjectType() || !ty.HasAttribute("password") || !ty.HasAttribute("username") || !ty.HasAttribute(hidden) {
		r.report(fault(CodeType, at, "Not a credential", "%q takes a credential block's name: write credential.NAME, without .username or .password.", name))
		return nil
	}
	id, _, _ := asString(v.GetAttr(hidden))
	user, _, _ := asString(v.GetAttr("username"))
	pass, _, ok := asString(v.GetAttr("password"))
	if !ok {
		return nil
	}
	return &login{name: id, username: user, password: secret.Text{Value: pass, Sensitive: true}}
}
