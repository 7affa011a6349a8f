package envspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decoding is one body being evaluated: what it found wrong, and the wires it really received.
type decoding struct {
	view  *view
	diags hcl.Diagnostics
	wires received
	// files are those whose text was received, in that order; one may stand there several times.
	files []string
	uses  *uses
	each  *eachValue
	ctx   *hcl.EvalContext
	// unknown is where a value could not be had, because of a mistake that is reported elsewhere.
	unknown *hcl.Range
}

// reader reads the arguments and blocks of one block by the language's table.
type reader struct {
	in     *decoding
	kind   *block
	body   *hclsyntax.Body
	labels []label
	at     hcl.Range
	// ctx is set in a dynamic block's content; elsewhere it is the body's own, built when it is needed.
	ctx *hcl.EvalContext
}

type label struct {
	text string
	at   hcl.Range
}

// reader begins the decoding of a declaration's body in a view.
func (d *decl) reader(v *view, each *eachValue) *reader {
	in := &decoding{view: v, uses: d.uses, each: each}
	if in.uses == nil {
		in.uses = newUses()
	}
	return &reader{in: in, kind: d.kind, body: d.block.Body, labels: blockLabels(d.block), at: d.block.DefRange()}
}

// context gives what expressions here are evaluated in.
func (r *reader) context() *hcl.EvalContext {
	if r.ctx != nil {
		return r.ctx
	}
	if r.in.ctx == nil {
		r.in.ctx = r.in.view.context(r.in.uses, r.in.each)
	}
	return r.in.ctx
}

// evaluate evaluates an expression; for a plain literal no context is built.
func (r *reader) evaluate(e hclsyntax.Expression) (cty.Value, hcl.Diagnostics) {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Value(nil)
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			return e.Value(nil)
		}
	}
	return e.Value(r.context())
}

func blockLabels(b *hclsyntax.Block) []label {
	out := make([]label, len(b.Labels))
	for i := range b.Labels {
		out[i] = label{b.Labels[i], b.LabelRanges[i]}
	}
	return out
}

// label gives the block's first label, or "".
func (r *reader) label() string {
	if len(r.labels) == 0 {
		return ""
	}
	return r.labels[0].text
}

func (r *reader) title() string {
	texts := make([]string, len(r.labels))
	for i, l := range r.labels {
		texts[i] = l.text
	}
	return blockTitle(r.kind.Name, texts)
}

func (r *reader) report(d *hcl.Diagnostic) { r.in.diags = append(r.in.diags, d) }

// has reports whether an argument is written.
func (r *reader) has(name string) bool { return r.body.Attributes[name] != nil }

// misspelt reports whether something stands in the block that it does not take: that is reported, and may be what else is missing.
func (r *reader) misspelt() bool {
	for name := range r.body.Attributes {
		if r.kind.attr(name) == nil {
			return true
		}
	}
	return slices.ContainsFunc(r.body.Blocks, func(b *hclsyntax.Block) bool { return b.Type != "dynamic" && r.kind.block(b.Type) == nil })
}

// rangeOf gives where an argument's value stands, or the block's head.
func (r *reader) rangeOf(name string) hcl.Range {
	if a := r.body.Attributes[name]; a != nil {
		return a.Expr.Range()
	}
	return r.at
}

// raw evaluates an argument. It gives false where it is left out, null, or wrong, which is reported.
func (r *reader) raw(name string) (cty.Value, bool) {
	a := r.body.Attributes[name]
	if a == nil || r.in.view.eval.spec.broken[a] {
		return cty.DynamicVal, false
	}
	v, diags := r.evaluate(a.Expr)
	r.in.diags = append(r.in.diags, redact(diags)...)
	if diags.HasErrors() && !v.IsKnown() {
		return cty.DynamicVal, false // else the rest of a map or a list is there still
	}
	if v.IsNull() {
		r.collect(v, a.Expr.Range())
		if as := r.kind.attr(name); as != nil && as.Required {
			r.report(fault(CodeMissing, a.Expr.Range(), "A required argument is null", "%s needs a value for %q: %s", r.title(), name, lowerFirst(as.Doc)))
		}
		return cty.DynamicVal, false
	}
	return v, true
}

// collect notes the marks on v and reports whether a secret is among them.
func (r *reader) collect(v cty.Value, at hcl.Range) (cty.Value, bool) {
	if v.Type().IsPrimitiveType() {
		if !v.IsMarked() {
			return v, false
		}
		v, marks := v.Unmark()
		return v, r.marks(marks, at)
	}
	if !v.ContainsMarked() {
		return v, false
	}
	v, marks := v.UnmarkDeep()
	return v, r.marks(marks, at)
}

func (r *reader) marks(marks cty.ValueMarks, at hcl.Range) (secret bool) {
	whole := ""
	for m := range marks {
		switch m := m.(type) {
		case wireMark:
			r.in.wires.add(m.to, !m.unordered)
		case secretMark:
			secret = true
		case fileMark:
			r.in.files = append(r.in.files, m.path)
		case wholeMark:
			if whole == "" || m.address < whole {
				whole = m.address
			}
		}
	}
	if whole != "" {
		r.report(fault(CodeWholeResource, at, "A whole resource is not a value", "%s is used whole here. Name what you need of it, such as its port.NAME.address.", whole))
	}
	return secret
}

// scalar converts a value to a primitive type. It gives false where the value is unknown because of
// a mistake elsewhere, null, or of the wrong type, which is reported.
func (r *reader) scalar(v cty.Value, ty cty.Type, want string, at hcl.Range, what string) (out cty.Value, secret, ok bool) {
	v, secret = r.collect(v, at)
	if !v.IsWhollyKnown() {
		r.in.unknown = &at
		return v, secret, false
	}
	if v.IsNull() {
		return v, secret, false
	}
	out, err := convert.Convert(v, ty)
	if err != nil && v.Type().IsObjectType() && v.Type().HasAttribute("from_host") {
		r.report(fault(CodeType, at, "The wrong type", "%s must be %s, and this is a whole port. Say what of it: add .address (host:port), .host, .port or .url.", what, want))
		return v, secret, false
	}
	if err != nil {
		hint := ""
		if text, ok := plainString(v); ok && !secret && ty == cty.Number {
			hint = asNumber(text)
		}
		r.report(fault(CodeType, at, "The wrong type", "%s must be %s, and this is %s.%s", what, want, describe(v, secret), hint))
		return v, secret, false
	}
	if ty == cty.String {
		r.checkPath(out.AsString(), at)
	}
	return out, secret, true
}

// refuseSecret reports a secret where the argument takes none.
func (r *reader) refuseSecret(name string, at hcl.Range) {
	instead := "This value is shown in plans and messages. Use something that is not secret."
	if as := r.kind.attr(name); as != nil && as.Instead != "" {
		instead = as.Instead
	}
	r.report(fault(CodeSecret, at, "A secret cannot stand here", "%q of %s would show it. %s", name, r.title(), instead))
}

// describe says what a value is, for a message about its type.
func describe(v cty.Value, secret bool) string {
	ty := v.Type()
	switch {
	case secret:
		return "a secret " + ty.FriendlyName()
	case ty == cty.String:
		s := v.AsString()
		if len(s) > 40 {
			s = s[:40] + "…"
		}
		return "the string " + quote(s)
	case ty == cty.Number:
		return "the number " + v.AsBigFloat().Text('f', -1)
	case ty == cty.Bool && v.True():
		return "true"
	case ty == cty.Bool:
		return "false"
	case ty.IsTupleType() || ty.IsListType():
		return "a list"
	case ty.IsSetType():
		return "a set"
	case ty.IsObjectType() || ty.IsMapType():
		return "a map"
	}
	return ty.FriendlyName()
}
