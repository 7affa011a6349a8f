package envspec

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// loadTemplate reads the folder that a template block names.
func (sc *scope) loadTemplate(t *decl) hcl.Diagnostics {
	a := t.block.Body.Attributes["source"]
	if a == nil {
		return nil // checkStructure said so
	}
	at := a.Expr.Range()
	val, diags := a.Expr.Value(nil)
	if diags.HasErrors() || val.IsNull() || val.Type() != cty.String {
		return hcl.Diagnostics{fault(CodeNotStatic, at, "A template's source is plain text", "It is read before anything else: write it out, such as \"./billing\".")}
	}
	source := val.AsString()
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") && !filepath.IsAbs(source) {
		return hcl.Diagnostics{fault(CodeNotAvailable, at, "Not available yet", "This version of envctl takes templates from a folder only: write \"./%s\" for a folder beside the spec.", source)}
	}
	dir := resolvePath(sc.dir, source)
	for outer := sc; outer != nil; outer = outer.parent {
		if sameFolder(outer.dir, dir) {
			return hcl.Diagnostics{fault(CodeCycle, at, "A template that contains itself", "%s is a folder that this block is in:\n%sA template cannot use itself.", source, t.callers())}
		}
	}
	files, err := specFiles(dir)
	if err != nil {
		return hcl.Diagnostics{fault(CodeFile, at, "No such template", "Cannot read the folder %s. Is the path right, from the folder of this file?", dir)}
	}
	if len(files) == 0 {
		return hcl.Diagnostics{fault(CodeFile, at, "No such template", "There is no *%s file in %s.", Suffix, dir)}
	}
	path := t.name
	if sc.path != "" {
		path = sc.path + "." + t.name
	}
	inside, diags := sc.spec.loadScope(path, dir, files, t)
	t.inside = inside
	return diags
}

func sameFolder(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

// callers lists a template block and those around it, innermost first.
func (d *decl) callers() string {
	var b strings.Builder
	for ; d != nil; d = d.scope.call {
		b.WriteString("  template." + d.name + "  (" + place(d.block.TypeRange) + ")\n")
	}
	return b.String()
}

// inputs gives the body of a template's inputs block, or nil.
func (d *decl) inputs() *hclsyntax.Body {
	for _, b := range d.block.Body.Blocks {
		if b.Type == "inputs" {
			return b.Body
		}
	}
	return nil
}

// resolveInputs ties a template's inputs to its variables.
func (sc *scope) resolveInputs(t *decl) hcl.Diagnostics {
	t.uses = newUses()
	for _, a := range t.block.Body.Attributes { // plain text is all that they take, and that is reported
		for _, ref := range a.Expr.Variables() {
			if name, ok := stepName(ref, 1); ok && ref.RootName() == "var" && sc.variables[name] != nil {
				sc.variables[name].used = true
			}
		}
	}
	r := resolver{scope: sc, uses: t.uses}
	in := t.inputs()
	if in == nil {
		in = &hclsyntax.Body{}
	}
	given := map[string]bool{}
	for _, a := range sortedAttrs(in.Attributes) {
		given[a.Name] = true
		one := resolver{scope: sc, uses: newUses()}
		one.attr(a, &attribute{}, false)
		r.diags = append(r.diags, one.diags...)
		if t.inside == nil {
			continue
		}
		v := t.inside.variables[a.Name]
		if v == nil {
			r.report(CodeUnknownAttribute, a.NameRange, "Unknown input", "The template %q has no variable %q.%s", t.name, a.Name, choices(a.Name, names(t.inside.variables)))
			continue
		}
		v.input, v.inputUses, v.addressed = a, one.uses, sc.addressed(one.uses)
	}
	if t.inside == nil {
		return r.diags
	}
	for _, name := range names(t.inside.variables) {
		if v := t.inside.variables[name]; !given[name] && t.block.Body.Attributes[name] == nil && v.decl.block.Body.Attributes["default"] == nil {
			r.report(CodeMissing, t.block.DefRange(), "A required input is missing", "The template %q needs the input %q: add it to the inputs block.", t.name, name)
		}
	}
	return r.diags
}

// addressed reports whether what is referred to may hold an address or a credential.
func (sc *scope) addressed(u *uses) bool {
	for _, x := range u.list {
		switch {
		case x.root == "credential", x.root == "template", isResource(x.root):
			return true
		case x.root == "local" && sc.locals[x.name].addressed, x.root == "var" && sc.variables[x.name].addressed:
			return true
		}
	}
	return false
}

// readTemplateVariables decodes the variables of every template in the scope.
func (sc *scope) readTemplateVariables(e *evaluation) {
	for _, name := range names(sc.templates) {
		if in := sc.templates[name].inside; in != nil {
			for _, x := range names(in.variables) {
				in.variables[x].read(e)
			}
			in.checkVersions(e)
			in.readTemplateVariables(e)
		}
	}
}

// output evaluates an output's value in a view.
func (v *view) output(o *decl) cty.Value {
	if o == nil {
		return cty.DynamicVal
	}
	a := o.block.Body.Attributes["value"]
	if a == nil {
		return cty.DynamicVal
	}
	val, diags := a.Expr.Value(v.context(o.uses, nil))
	val = v.eval.settle(val, diags)
	if o.sensitive(v) {
		val = secretValue(val)
	}
	return val
}

// sensitive reports whether an output's block says so.
func (o *decl) sensitive(v *view) bool {
	return o.reader(v, nil).boolean("sensitive")
}
