package envspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/secret"
)

// ExpressionFile is the name under which diagnostics of Eval place an expression.
const ExpressionFile = "<expression>"

// Result is what an expression comes to.
type Result struct {
	Text  secret.Text // a string, or the JSON of what is not one
	JSON  bool
	Wires []Wire // that the expression would open
}

// Eval evaluates an expression as the body of a resource would, or the host for the zero address.
// The Spec must have loaded without errors.
func (s *Spec) Eval(expression string, from addr.Addr, a Addresses, c Credentials) (Result, hcl.Diagnostics) {
	if s.failed || s.root == nil {
		return Result{}, hcl.Diagnostics{placeless(CodeValue, "The spec has mistakes", "Load reported what they are; a spec with mistakes is not evaluated.")}
	}
	src := []byte(expression)
	expr, diags := hclsyntax.ParseExpression(src, ExpressionFile, hcl.InitialPos)
	s.mu.Lock()
	s.files[ExpressionFile] = &hcl.File{Bytes: src}
	s.mu.Unlock()
	if diags.HasErrors() {
		return Result{}, firstOfEach(src, diags)
	}
	sc, in := s.root, s.byAddr[from]
	if in == nil && !from.IsHost() {
		return Result{}, hcl.Diagnostics{placeless(CodeUnknownReference, "Unknown resource", "There is no %s to evaluate at.", from)}
	}
	var each *eachValue
	if in != nil {
		sc, each = in.decl.scope, in.each
	}
	r := resolver{scope: sc, uses: newUses(), each: each != nil}
	s.mu.Lock()
	keys := len(s.keyUses)
	resolved := r.expr(expr, &attribute{}, false)
	s.keyUses = s.keyUses[:keys] // evaluation itself finds keys that do not exist
	s.mu.Unlock()
	if r.diags.HasErrors() {
		return Result{}, tidy(r.diags)
	}
	e := s.evaluation(a, c)
	d := &decl{scope: sc, kind: &block{Name: "expression"}, block: &hclsyntax.Block{Body: &hclsyntax.Body{}}, uses: r.uses}
	rd := d.reader(e.view(sc, from), each)
	val, diags := resolved.Value(rd.context())
	e.diags = append(e.diags, redact(diags)...)
	plain, hush := rd.collect(val, expr.Range())
	e.diags = append(e.diags, rd.in.diags...)
	if e.diags.HasErrors() {
		return Result{}, tidy(e.diags)
	}
	text, isJSON, err := plainText(plain)
	if err != nil {
		return Result{}, hcl.Diagnostics{fault(CodeType, expr.Range(), "Not a value to show", "%v.", err)}
	}
	out := Result{Text: secret.Text{Value: text, Sensitive: hush}, JSON: isJSON}
	out.Wires = wires(map[addr.Addr]received{from: rd.in.wires})
	return out, nil
}

// plainText gives a value as a string, or as JSON where it is not a primitive.
func plainText(v cty.Value) (text string, isJSON bool, err error) {
	switch {
	case !v.IsWhollyKnown():
		return "", false, fmt.Errorf("a part of it is not known")
	case v.IsNull():
		return "null", true, nil
	case v.Type().IsPrimitiveType():
		s, err := convert.Convert(v, cty.String)
		if err != nil {
			return "", false, fmt.Errorf("convert to text: %w", err)
		}
		return s.AsString(), false, nil
	}
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return "", false, fmt.Errorf("convert to JSON: %w", err)
	}
	return string(b), true, nil
}
