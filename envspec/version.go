package envspec

import (
	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// constraint reads a constraint on a version; nil where it is none, which is reported.
func (r *reader) constraint(text string, at hcl.Range) goversion.Constraints {
	rule, err := goversion.NewConstraint(text)
	if err != nil {
		r.report(fault(CodeVersion, at, "Not a version constraint", "%s is not a constraint. Write one, such as \">= 0.1\" or \"~> 1.2\".", quote(text)))
		return nil
	}
	return rule
}

// checkTool holds envctl's own version to what an environment block requires. What is built from source has
// none and meets all.
func (s *Spec) checkTool(r *reader) {
	want := r.str("requires")
	if want == "" {
		return
	}
	at := r.rangeOf("requires")
	rule := r.constraint(want, at)
	have, err := goversion.NewVersion(s.options.ToolVersion)
	if rule == nil || err != nil || rule.Check(have.Core()) {
		return
	}
	r.report(fault(CodeVersion, at, "Another version of envctl is needed", "The spec needs envctl %s, and this is %s. Install a version that fits.", want, have))
}

// ownVersion reads the version that a folder's environment block states; nil where it states none.
func (sc *scope) ownVersion(r *reader) *goversion.Version {
	text := r.str("version")
	if text == "" {
		return nil
	}
	v, err := goversion.NewSemver(text)
	if err != nil {
		r.report(fault(CodeVersion, r.rangeOf("version"), "Not a version", "%s is not a version. Write three numbers, such as \"1.2.0\"; what others accept of it, they say where they use the template.", quote(text)))
		return nil
	}
	return v
}

// checkVersions holds envctl to what a template requires, and the template to what its caller asks for.
func (sc *scope) checkVersions(e *evaluation) {
	var have *goversion.Version
	stated := false
	if sc.env != nil {
		r := sc.env.reader(e.view(sc, addr.Host), nil)
		have, stated = sc.ownVersion(r), r.has("version")
		sc.spec.checkTool(r)
		e.diags = append(e.diags, r.in.diags...)
	}
	a := sc.call.block.Body.Attributes["version"]
	if a == nil {
		return
	}
	at := a.Expr.Range()
	r := sc.call.reader(e.view(sc.parent, addr.Host), nil)
	defer func() { e.diags = append(e.diags, r.in.diags...) }()
	val, diags := a.Expr.Value(nil)
	if diags.HasErrors() || val.IsNull() || val.Type() != cty.String {
		r.report(fault(CodeNotStatic, at, "A template's version is plain text", "Write the constraint out, such as \"~> 1.2\"."))
		return
	}
	rule := r.constraint(val.AsString(), at)
	switch {
	case rule == nil || stated && have == nil: // said so
	case have == nil:
		r.report(fault(CodeVersion, at, "The template states no version",
			"There is nothing to hold to %s. Add version = \"1.0.0\" to the environment block in %s, or leave version out here.", quote(val.AsString()), sc.spec.display(sc.dir)))
	case !rule.Check(have):
		r.report(fault(CodeVersion, at, "Another version of the template", "template.%s takes %s, and the template in %s is %s. Take one that fits, or change what is asked for.",
			sc.call.name, quote(val.AsString()), sc.spec.display(sc.dir), have))
	}
}
