package envspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// frame is a value that is being computed.
type frame struct {
	view *view
	key  [2]string
}

// enter notes that a value is being computed. It gives false where it is already: a template's output
// that needs an input that needs the output. That is reported, and the value unknown.
func (e *evaluation) enter(v *view, key [2]string) bool {
	f := frame{v, key}
	for i, outer := range e.under {
		if outer == f {
			e.diags = append(e.diags, circle(e.under[i:]))
			v.memo[key] = cty.DynamicVal
			return false
		}
	}
	e.under = append(e.under, f)
	return true
}

func (e *evaluation) leave() { e.under = e.under[:len(e.under)-1] }

// circle describes values that need each other.
func circle(around []frame) *hcl.Diagnostic {
	var b strings.Builder
	var at hcl.Range
	for _, f := range around {
		where, ok := f.place()
		if !ok {
			continue
		}
		if at.Filename == "" {
			at = where
		}
		b.WriteString("  " + f.String() + "  (" + place(where) + ")\n")
	}
	return fault(CodeCycle, at, "Values that need each other", "Each of these needs the next, and the last needs the first:\n%sTake one of the references out.", b.String())
}

// String names the value as a reference to it is written.
func (f frame) String() string {
	prefix := ""
	if p := f.view.scope.path; p != "" {
		prefix = "template." + strings.ReplaceAll(p, ".", ".template.") + ": "
	}
	return prefix + f.key[0] + "." + f.key[1]
}

// place gives where the value is declared; a reference to an output has the output's own frame for that.
func (f frame) place() (hcl.Range, bool) {
	sc, name := f.view.scope, f.key[1]
	switch f.key[0] {
	case "local":
		return sc.locals[name].attr.NameRange, true
	case "var":
		if x := sc.variables[name]; x.input != nil {
			return x.input.NameRange, true
		}
	case "output":
		return sc.outputs[name].block.DefRange(), true
	}
	return hcl.Range{}, false
}

// settleOutputs evaluates all of a template's outputs, and those inside it, so that a mistake in one
// that nobody reads shows too.
func (v *view) settleOutputs(t *decl) {
	if t.inside == nil {
		return
	}
	inner := v.eval.view(t.inside, v.at)
	for _, name := range names(t.inside.locals) {
		inner.value("local", name)
	}
	for _, name := range names(t.inside.outputs) {
		inner.value("output", name)
	}
	for _, name := range names(t.inside.templates) {
		inner.settleOutputs(t.inside.templates[name])
	}
}
