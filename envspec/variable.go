package envspec

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/envctl/envctl/internal/addr"
)

// variable is a variable block: at the root it has a value, in a template an input of the caller.
type variable struct {
	decl      *decl
	typ       cty.Type
	defaults  *typeexpr.Defaults
	fallback  cty.Value // the default; cty.NilVal where there is none
	sensitive bool
	used      bool

	value     cty.Value            // at the root; unknown where it has none
	input     *hclsyntax.Attribute // in a template; nil leaves the default
	inputUses *uses
	addressed bool // the input holds an address or a credential
}

// read decodes a variable's type, default and whether it is sensitive.
func (v *variable) read(e *evaluation) {
	b := v.decl.block.Body
	v.typ, v.value = cty.DynamicPseudoType, cty.DynamicVal
	if a := b.Attributes["type"]; a != nil {
		ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		for _, d := range diags {
			d.Extra = CodeType
		}
		for _, d := range diags {
			word := hcl.ExprAsKeyword(a.Expr)
			inside := map[string]string{"list": "string", "set": "string", "map": "string", "object": "{ name = string }", "tuple": "[string, number]"}[word]
			switch written, quoted := stringLiteral(a.Expr); {
			case inside != "":
				d.Detail = fmt.Sprintf("A %s has a type of what is in it, such as %s(%s).", word, word, inside)
			case word != "":
				d.Detail = fmt.Sprintf("There is no type %q.%s", word, choices(word, typeWords))
			case quoted:
				d.Detail = fmt.Sprintf("A type stands without quotes: type = %s.", written)
			}
		}
		e.diags = append(e.diags, diags...)
		if !diags.HasErrors() {
			v.typ, v.defaults = ty, defaults
		}
	}
	r := v.decl.reader(e.view(v.decl.scope, addr.Host), nil)
	v.sensitive = r.boolean("sensitive")
	r.str("description")
	if a := b.Attributes["default"]; a != nil {
		val, diags := a.Expr.Value(r.context())
		if val = e.settle(val, diags); !diags.HasErrors() {
			v.fallback = v.convert(e, val, a.Expr.Range(), "the default of "+v.String())
		} else {
			v.fallback = cty.DynamicVal
		}
	}
	e.diags = append(e.diags, r.in.diags...)
}

// stringLiteral gives the text of an expression that is nothing but text in quotes.
func stringLiteral(e hclsyntax.Expression) (string, bool) {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return plainString(e.Val)
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			v, _ := e.Value(nil)
			return plainString(v)
		}
	}
	return "", false
}

// misspelt reports whether something stands in the block that it does not take.
func (d *decl) misspelt() bool {
	for name := range d.block.Body.Attributes {
		if d.kind.attr(name) == nil {
			return true
		}
	}
	return false
}

var typeWords = []string{"string", "number", "bool", "any", "list", "set", "map", "object", "tuple"}

func (v *variable) String() string { return "var." + v.decl.name }

// convert gives a value the variable's type, with the defaults of optional attributes in place.
func (v *variable) convert(e *evaluation, val cty.Value, at hcl.Range, what string) cty.Value {
	if v.defaults != nil && !val.IsNull() && val.IsKnown() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.typ)
	if err != nil {
		e.diags = append(e.diags, fault(CodeType, at, "The wrong type", "%s must be %s%s.", upperFirst(what), typeName(v.typ), v.mismatch(val, err)))
		return cty.DynamicVal
	}
	if v.sensitive {
		out = secretValue(out)
	}
	return out
}

// mismatch says what was given in place of the type; of a sensitive variable only its kind.
func (v *variable) mismatch(val cty.Value, err error) string {
	plain, _ := val.UnmarkDeep()
	if v.typ.IsPrimitiveType() || plain.Type().IsPrimitiveType() {
		return ", and this is " + describe(plain, v.sensitive || isSecret(val))
	}
	return ": " + conversionError(err)
}

// conversionError says where in a value a conversion failed, and why.
func conversionError(err error) string {
	if pathErr, ok := errors.AsType[cty.PathError](err); ok && len(pathErr.Path) > 0 {
		return fmt.Sprintf("%s: %s", pathString(pathErr.Path), pathErr.Error())
	}
	return err.Error()
}

func pathString(path cty.Path) string {
	out := ""
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			out += "." + s.Name
		case cty.IndexStep:
			if text, _, ok := asString(s.Key); ok {
				out += "[" + text + "]"
			}
		}
	}
	return out
}

// variable gives a variable's value in a view.
func (v *view) variable(x *variable) cty.Value {
	if x.decl.scope.parent == nil {
		return x.value
	}
	if v.eval.static() && x.addressed {
		return cty.NilVal
	}
	if !x.addressed && !v.eval.static() {
		return v.eval.spec.static.view(v.scope, addr.Host).value("var", x.decl.name)
	}
	val, at := x.fallback, x.decl.block.DefRange()
	if x.input != nil {
		if v.eval.spec.broken[x.input] {
			return cty.DynamicVal
		}
		outer := v.eval.view(x.decl.scope.parent, v.at)
		given, diags := x.input.Expr.Value(outer.context(x.inputUses, nil))
		if given = v.eval.settle(given, diags); diags.HasErrors() {
			return cty.DynamicVal
		}
		at = x.input.Expr.Range()
		val = x.convert(v.eval, given, at, "the input "+x.decl.name)
	}
	if val == cty.NilVal {
		return cty.DynamicVal // the missing input is reported where the template is called
	}
	v.validate(x, val, at)
	return val
}

// validate holds a value to the variable's rules.
func (v *view) validate(x *variable, val cty.Value, at hcl.Range) {
	for _, b := range x.decl.block.Body.Blocks {
		if b.Type != "validation" || b.Body.Attributes["condition"] == nil || b.Body.Attributes["error_message"] == nil {
			continue
		}
		cond, message := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
		e := v.eval
		ctx := v.scope.base.NewChild()
		ctx.Variables = map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{x.decl.name: val}), x.String(): val}
		got, diags := cond.Expr.Value(ctx)
		if got = e.settle(got, diags); diags.HasErrors() {
			continue
		}
		got, _ = got.UnmarkDeep()
		ok, err := convert.Convert(got, cty.Bool)
		if err != nil || ok.IsNull() {
			e.diags = append(e.diags, fault(CodeType, cond.Expr.Range(), "The wrong type", "A condition must be true or false."))
			continue
		}
		if !ok.IsKnown() || ok.True() {
			continue
		}
		text, diags := message.Expr.Value(ctx)
		e.settle(text, diags)
		said, _, _ := asString(text)
		if isSecret(text) {
			said = "The value is not valid; its message holds a secret, so it is not shown."
		}
		e.diags = append(e.diags, fault(CodeVariable, at, "The value of "+x.String()+" is not valid", "%s The rule is at %s.", said, place(cond.NameRange)))
	}
}
