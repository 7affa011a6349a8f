package envspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// resolver checks the names in one body: that what it refers to is there, and may be read from
// there. It decides no wires; those come from the values.
type resolver struct {
	scope     *scope
	uses      *uses
	each      bool     // the block has for_each
	iterators []string // of the dynamic blocks around
	nothing   string   // where set, why nothing may be referred to
	diags     hcl.Diagnostics
}

// body resolves the names in a block's arguments and in the blocks below it.
func (r *resolver) body(b *hclsyntax.Body, s *block, static bool) {
	static = static || s.Static
	for _, a := range sortedAttrs(b.Attributes) {
		as := s.attr(a.Name)
		switch {
		case as == nil && !s.Free:
		case as == nil:
			r.attr(a, &attribute{}, static)
		case as.Literal:
		case a.Name == "for_each" && s.Name != "dynamic":
			outer := resolver{scope: r.scope, uses: r.uses, nothing: r.nothing}
			outer.attr(a, as, true)
			r.diags = append(r.diags, outer.diags...)
		default:
			r.attr(a, as, static || as.Static)
		}
	}
	for _, c := range b.Blocks {
		if kind := s.block(c.Type); kind != nil {
			r.body(c.Body, kind, static)
		} else if c.Type == "dynamic" && len(c.Labels) == 1 && s.block(c.Labels[0]) != nil {
			r.dynamic(c, s.block(c.Labels[0]), static)
		}
	}
}

func (r *resolver) dynamic(b *hclsyntax.Block, kind *block, static bool) {
	ds := dynamicBlock(kind)
	if a := b.Body.Attributes["for_each"]; a != nil {
		r.attr(a, ds.attr("for_each"), static || kind.Static)
	}
	r.iterators = append(r.iterators, iteratorName(b))
	if a := b.Body.Attributes["labels"]; a != nil {
		r.attr(a, ds.attr("labels"), static || kind.Static)
	}
	for _, c := range b.Body.Blocks {
		if c.Type == "content" {
			r.body(c.Body, kind, static)
		}
	}
	r.iterators = r.iterators[:len(r.iterators)-1]
}

// iteratorName is the name by which a dynamic block's content reads its element.
func iteratorName(b *hclsyntax.Block) string {
	if a := b.Body.Attributes["iterator"]; a != nil {
		if name := hcl.ExprAsKeyword(a.Expr); name != "" {
			return name
		}
	}
	return b.Labels[0]
}

// attr resolves the names in one argument. What does not resolve is not evaluated, so that a
// mistake shows once.
func (r *resolver) attr(a *hclsyntax.Attribute, as *attribute, static bool) {
	a.Expr = r.expr(a.Expr, as, static)
}

// expr resolves an expression, each element of a map or a list by itself, so that one that is wrong
// does not hide what is wrong with the others.
func (r *resolver) expr(e hclsyntax.Expression, as *attribute, static bool) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.ObjectConsExpr:
		guardNode(e)
		for i, item := range e.Items {
			e.Items[i].KeyExpr = r.leaf(item.KeyExpr, as, static)
			e.Items[i].ValueExpr = r.expr(item.ValueExpr, as, static)
		}
		return e
	case *hclsyntax.TupleConsExpr:
		for i, item := range e.Exprs {
			e.Exprs[i] = r.expr(item, as, static)
		}
		return e
	}
	return r.leaf(e, as, static)
}

// leaf resolves an expression that is not a map or a list, and puts its guards into it.
func (r *resolver) leaf(e hclsyntax.Expression, as *attribute, static bool) hclsyntax.Expression {
	switch x := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e
	case *hclsyntax.TemplateExpr:
		if x.IsStringLiteral() {
			return e
		}
	case *hclsyntax.ObjectConsKeyExpr:
		if hcl.ExprAsKeyword(x.Wrapped) != "" && !x.ForceNonLiteral {
			return e
		}
	}
	before := len(r.diags)
	for _, t := range e.Variables() {
		r.traversal(t, as, static)
	}
	r.walk(e)
	if len(r.diags) > before {
		return unresolved{e}
	}
	return e
}

// unresolved stands for an expression in which something does not resolve: that has been reported,
// so its value is unknown and says nothing more.
type unresolved struct{ hclsyntax.Expression }

// Value implements hclsyntax.Expression.
func (unresolved) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) { return cty.DynamicVal, nil }

// walk checks the names of functions, and puts guards round what decides.
func (r *resolver) walk(e hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		guardNode(n)
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok {
			return nil
		}
		if _, ok := r.scope.functions[call.Name]; !ok {
			r.report(CodeUnknownFunction, call.NameRange, "Unknown function", "There is no function %q.%s", call.Name, didYouMean(call.Name, names(r.scope.functions)))
		}
		return nil
	})
}

func (r *resolver) report(code Code, at hcl.Range, summary, detail string, args ...any) {
	r.diags = append(r.diags, fault(code, at, summary, detail, args...))
}

// roots are the first words that a reference may have.
var roots = []string{"var", "local", "path", "each", "credential", "container", "windows", "template"}

func (r *resolver) traversal(t hcl.Traversal, as *attribute, static bool) {
	root, at := t.RootName(), t.SourceRange()
	if slices.Contains(r.iterators, root) {
		return
	}
	if !slices.Contains(roots, root) {
		r.unknownRoot(root, t)
		return
	}
	if r.nothing != "" {
		r.report(CodeNotStatic, at, "No references here", "%s", r.nothing)
		return
	}
	name, ok := stepName(t, 1)
	if !ok {
		r.report(CodeUnknownReference, at, "A name is missing", "%q alone is not a value: write %s.NAME.", root, root)
		return
	}
	sc := r.scope
	switch root {
	case "path":
		if name != "spec" {
			r.report(CodeUnknownReference, at, "Unknown reference", "There is path.spec, the spec's folder, and no other.")
		}
	case "each":
		if !r.each {
			r.report(CodeUnknownReference, at, "No for_each here", "%q stands for an element of the block's for_each, and this block has none.", "each."+name)
		} else if name != "key" && name != "value" {
			r.report(CodeUnknownReference, at, "Unknown reference", "There is each.key and each.value.")
		}
	case "var":
		v := sc.variables[name]
		if v == nil {
			r.report(CodeUnknownReference, stepRange(t, 1), "Unknown variable", "There is no variable %q.%s", name, orSay(didYouMean(name, names(sc.variables)), " Declare it with variable "+quote(name)+" { }."))
			return
		}
		v.used = true
		if static && v.addressed {
			r.notStatic(at, as, "The input behind var."+name+" holds an address or a credential")
		}
	case "local":
		l := sc.locals[name]
		if l == nil {
			r.report(CodeUnknownReference, stepRange(t, 1), "Unknown local", "There is no local %q.%s", name, choices(name, names(sc.locals)))
			return
		}
		if static && l.addressed {
			r.notStatic(at, as, "local."+name+" holds an address or a credential")
		}
	case "credential":
		r.credential(name, t, as, static)
	case "template":
		r.template(name, t, as, static)
		return
	default:
		r.resource(addr.Kind(root), name, t, as, static)
	}
	r.uses.add(root, name, at)
}

func (r *resolver) notStatic(at hcl.Range, as *attribute, why string) {
	what := "What exists"
	if as.Name != "" {
		what = "\"" + as.Name + "\""
	}
	r.report(CodeNotStatic, at, "No address here",
		"%s, and an address depends on who asks. %s is decided before anything has an address: it takes variables, functions, and locals without addresses.", why, what)
}

// stepName gives the name in a traversal's step, written .name or ["name"].
func stepName(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// foreignRoots say what to write for what other tools call something else.
var foreignRoots = map[string]string{
	"count":     "Use for_each, and each.key in the body.",
	"module":    "A template's output is template.NAME.OUTPUT.",
	"self":      "A resource names its own port as others do: container.NAME.port.PORT.address.",
	"output":    "An output is read by who runs envctl, not by the spec. Put its value into a local and use that in both places.",
	"terraform": "The environment's name and instance are envctl's own; take a variable for what differs.",
	"env":       "A variable of the host's environment is env(\"NAME\").",
	"this":      "A resource names its own port as others do: container.NAME.port.PORT.address.",
}

func (r *resolver) unknownRoot(root string, t hcl.Traversal) {
	at, sc := t.SourceRange(), r.scope
	if found := sc.resourceNamed(root); found != "" {
		r.report(CodeUnknownReference, at, "Unknown reference", "There is no %q. Did you mean %q?", root, found)
		return
	}
	for kind, found := range map[string]bool{"local": sc.locals[root] != nil, "var": sc.variables[root] != nil, "credential": sc.credentials[root] != nil} {
		if found {
			r.report(CodeUnknownReference, at, "Unknown reference", "There is no %q. Did you mean %q?", root, kind+"."+root)
			return
		}
	}
	if hint := foreignRoots[root]; hint != "" {
		r.report(CodeUnknownReference, stepRange(t, 0), "Unknown reference", "There is no %q here. %s", root, hint)
		return
	}
	known := append(slices.Clone(roots), r.iterators...)
	otherwise := " A reference starts with " + list(roots, "or") + "."
	if len(t) == 1 {
		otherwise = " If it is text, put it in quotes."
	}
	r.report(CodeUnknownReference, stepRange(t, 0), "Unknown reference", "There is no %q.%s", root, orSay(didYouMean(root, known), otherwise))
}

// resourceNamed gives the reference to the resource of that name, or "".
func (sc *scope) resourceNamed(name string) string {
	for _, kind := range []addr.Kind{addr.Container, addr.Windows} {
		if sc.resources[kind][name] != nil {
			return string(kind) + "." + name
		}
	}
	return ""
}

// orSay gives the first that is not empty.
func orSay(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// stepRange gives where one word of a reference stands, without its dot.
func stepRange(t hcl.Traversal, i int) hcl.Range {
	switch s := t[i].(type) {
	case hcl.TraverseRoot:
		return s.SrcRange
	case hcl.TraverseAttr:
		at := s.SrcRange
		if at.End.Byte-at.Start.Byte > len(s.Name) {
			at.Start.Byte++
			at.Start.Column++
		}
		return at
	case hcl.TraverseIndex:
		return s.SrcRange
	}
	return t.SourceRange()
}

func (r *resolver) credential(name string, t hcl.Traversal, as *attribute, static bool) {
	at, d := t.SourceRange(), r.scope.credentials[name]
	if d == nil {
		r.report(CodeUnknownReference, stepRange(t, 1), "Unknown credential", "There is no credential %q.%s", name, choices(name, names(r.scope.credentials)))
		return
	}
	d.used = true
	if static {
		instead := "It takes variables, functions, and locals without addresses or credentials."
		if as.Instead != "" {
			instead = as.Instead
		}
		r.report(CodeNotStatic, at, "No credential here", "%q is decided before any credential has its value, and would show it. %s", as.Name, instead)
		return
	}
	next, ok := r.instanceStep(d, t)
	if !ok || next == len(t) {
		if ok && as.Type != credentialRef && (d.eachAttr == nil || next > 2) {
			r.report(CodeWholeResource, at, "A whole credential is not a value", "Write credential.%s.username or credential.%s.password.", name, name)
		}
		return
	}
	if part, _ := stepName(t, next); part != "username" && part != "password" {
		r.report(CodeUnknownReference, stepRange(t, next), "Unknown reference", "A credential has .username and .password.%s", didYouMean(part, []string{"username", "password"}))
	}
}

func (r *resolver) template(name string, t hcl.Traversal, as *attribute, static bool) {
	at, d := t.SourceRange(), r.scope.templates[name]
	if d == nil {
		r.report(CodeUnknownReference, stepRange(t, 1), "Unknown template", "There is no template %q.%s", name, choices(name, names(r.scope.templates)))
		return
	}
	if static {
		r.notStatic(at, as, "A template's output may hold an address")
		return
	}
	if d.inside == nil {
		return // why is reported where the template is loaded
	}
	output, ok := stepName(t, 2)
	if !ok {
		r.report(CodeWholeResource, at, "A whole template is not a value", "Name one of its outputs: %s.", list(names(d.inside.outputs), "or"))
		return
	}
	r.uses.add("template", name+"."+output, at)
	if d.inside.outputs[output] == nil {
		r.report(CodeUnknownReference, stepRange(t, 2), "Unknown output", "The template %q has no output %q.%s", name, output, choices(output, names(d.inside.outputs)))
	}
}
