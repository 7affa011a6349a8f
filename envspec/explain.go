package envspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// explain says of what HCL found wrong in an expression what was there instead. The expression must read
// no secret.
func explain(d *hcl.Diagnostic) {
	switch d.Summary {
	case "Unsupported attribute", "Invalid index", "Missing map element":
		of, missing := missingStep(d.Expression, d.EvalContext)
		if of == cty.NilVal || !of.IsKnown() || of.IsNull() || missing == cty.NilVal || !missing.IsKnown() || missing.IsNull() {
			return
		}
		of, _ = of.UnmarkDeep()
		missing, _ = missing.Unmark()
		switch ty := of.Type(); {
		case (ty.IsObjectType() || ty.IsMapType()) && missing.Type() == cty.String:
			name, keys := missing.AsString(), keysOf(of)
			if len(keys) == 0 {
				d.Detail = fmt.Sprintf("There is no %q: what stands before it is empty.", name)
				return
			}
			d.Detail = fmt.Sprintf("There is no %q here.%s", name, choices(name, keys))
		case (ty.IsTupleType() || ty.IsListType()) && missing.Type() == cty.Number:
			d.Detail = fmt.Sprintf("There is no element %s: the list has %d, counted from 0.", missing.AsBigFloat().Text('f', -1), of.LengthInt())
		case ty.IsPrimitiveType():
			d.Detail = fmt.Sprintf("There is no %q in it: it is %s.", keyText(missing), describe(of, false))
		}
	case "Invalid function argument":
		// The name of the parameter says nothing to a person who sees the argument underlined.
		if _, said, ok := strings.Cut(d.Detail, "\" parameter: "); ok {
			if d.Detail = said; startsWithWord.MatchString(said) {
				d.Detail = upperFirst(said)
			}
		}
		at := d.Expression.Range()
		d.Subject = &at
	case "Error in function call":
		d.Detail = strings.Replace(d.Detail, "failed: EOF.", "failed: the text ends too early.", 1)
	case "Inconsistent conditional result types":
		if c, ok := d.Expression.(*hclsyntax.ConditionalExpr); ok {
			yes, _ := c.TrueResult.Value(d.EvalContext)
			no, _ := c.FalseResult.Value(d.EvalContext)
			if yes, no := kindOf(yes), kindOf(no); yes != no {
				d.Detail = fmt.Sprintf("Both results have to be of one type, and these are %s and %s. Make the same of both, such as text with jsonencode(…).", yes, no)
			}
		}
	case "Invalid operand":
		v, diags := d.Expression.Value(d.EvalContext)
		if !diags.HasErrors() && v.IsKnown() && !v.IsNull() {
			plain, _ := v.UnmarkDeep()
			d.Detail = strings.TrimSuffix(d.Detail, ".") + ", and this is " + describe(plain, false) + "."
		}
	}
}

// startsWithWord matches a sentence, and not one that begins with the name of a file.
var startsWithWord = lazyregexp.New(`^[a-z]+ `)

// missingStep gives the value in which a step of the expression finds nothing, and that step.
func missingStep(e hcl.Expression, ctx *hcl.EvalContext) (of, missing cty.Value) {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		of, diags := e.Traversal[:1].TraverseAbs(ctx)
		if diags.HasErrors() {
			return cty.NilVal, cty.NilVal
		}
		return missingIn(of, e.Traversal[1:])
	case *hclsyntax.RelativeTraversalExpr:
		of, diags := e.Source.Value(ctx)
		if diags.HasErrors() {
			return cty.NilVal, cty.NilVal
		}
		return missingIn(of, e.Traversal)
	case *hclsyntax.IndexExpr:
		of, diags := e.Collection.Value(ctx)
		key, more := e.Key.Value(ctx)
		if diags.HasErrors() || more.HasErrors() {
			return cty.NilVal, cty.NilVal
		}
		return of, key
	}
	return cty.NilVal, cty.NilVal
}

func missingIn(of cty.Value, steps hcl.Traversal) (cty.Value, cty.Value) {
	for i, step := range steps {
		next, diags := steps[i : i+1].TraverseRel(of)
		if diags.HasErrors() {
			switch s := step.(type) {
			case hcl.TraverseAttr:
				return of, cty.StringVal(s.Name)
			case hcl.TraverseIndex:
				return of, s.Key
			}
			break
		}
		of = next
	}
	return cty.NilVal, cty.NilVal
}

// keysOf gives the names in an object or a map, without what no spec can write.
func keysOf(v cty.Value) (keys []string) {
	for it := v.ElementIterator(); it.Next(); {
		if k, _ := it.Element(); k.AsString() != hidden {
			keys = append(keys, k.AsString())
		}
	}
	return keys
}

func keyText(key cty.Value) string {
	text, _, _ := asString(key)
	return text
}

// typeName says what a type is, as one would.
func typeName(ty cty.Type) string {
	switch ty {
	case cty.String:
		return "a string"
	case cty.Number:
		return "a number"
	case cty.Bool:
		return "true or false"
	}
	return typeexpr.TypeString(ty)
}

// kindOf says what kind of value it is, without the value.
func kindOf(v cty.Value) string {
	switch ty := v.Type(); ty {
	case cty.String, cty.Number, cty.Bool:
		return typeName(ty)
	}
	return describe(v, false)
}

// lowerFirst puts a sentence of the table behind a colon.
func lowerFirst(s string) string {
	if len(s) < 2 || s[1] >= 'A' && s[1] <= 'Z' { // MSI, PEM
		return s
	}
	return strings.ReplaceAll(strings.ToLower(s[:1])+s[1:], "`", "")
}
