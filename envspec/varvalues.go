package envspec

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

const (
	autoVars  = ".auto.vars.hcl"
	envPrefix = "ENVCTL_VAR_"
)

// given is a value for a variable and where it came from.
type given struct {
	value cty.Value
	at    hcl.Range // zero for the environment and the command line
	from  string    // "--var", "ENVCTL_VAR_x"; empty for a file
}

// readVariables gives every root variable its value: later sources win.
func (s *Spec) readVariables(e *evaluation) {
	vars := s.root.variables
	values := map[string]given{}
	for _, name := range names(vars) {
		vars[name].read(e)
	}
	for _, name := range names(vars) {
		if text, ok := s.environ(envPrefix + name); ok {
			values[name] = s.parseGiven(e, vars[name], text, envPrefix+name)
		}
	}
	auto, _ := filepath.Glob(filepath.Join(s.Dir, "*"+autoVars))
	slices.Sort(auto)
	for _, path := range slices.Concat(auto, s.options.VarFiles) {
		s.readVarFile(e, path, values)
	}
	for _, name := range slices.Sorted(maps.Keys(s.options.Vars)) {
		if vars[name] == nil {
			e.diags = append(e.diags, placeless(CodeVariable, "Unknown variable", "--var %s: the spec has no variable %q.%s", name, name, didYouMean(name, names(vars))))
			continue
		}
		values[name] = s.parseGiven(e, vars[name], s.options.Vars[name], "--var "+name)
	}
	host := e.view(s.root, addr.Host)
	for _, name := range names(vars) {
		v := vars[name]
		if g, ok := values[name]; ok {
			at, what := g.at, "the value of "+v.String()
			if g.from != "" {
				at, what = v.decl.block.DefRange(), what+", given by "+g.from+","
			}
			v.value = v.convert(e, g.value, at, what)
			host.validate(v, v.value, at)
			continue
		}
		if v.fallback == cty.NilVal && v.decl.misspelt() {
			continue // what is written in its place is reported, and may be the default
		}
		if v.fallback == cty.NilVal {
			e.diags = append(e.diags, fault(CodeVariable, v.decl.block.DefRange(), "No value for "+v.String(),
				"Give it with --var %s=…, with %s%s in the environment, or in a file *%s; or give it a default here.", name, envPrefix, name, autoVars))
			continue
		}
		v.value = v.fallback
		host.validate(v, v.value, v.decl.block.DefRange())
	}
}

// parseGiven reads text from outside: as it is for a string, else as an expression.
func (s *Spec) parseGiven(e *evaluation, v *variable, text, from string) given {
	g := given{value: cty.StringVal(text), from: from}
	if v.typ == cty.DynamicPseudoType || v.typ.IsPrimitiveType() {
		return g
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
	if !diags.HasErrors() {
		g.value, diags = expr.Value(nil)
	}
	if diags.HasErrors() {
		e.diags = append(e.diags, placeless(CodeVariable, "Cannot read a value", "%s is not a value of the type that %s takes. Write it as in a spec, such as [\"a\", \"b\"] or { a = 1 }.", from, v))
		g.value = cty.DynamicVal
	}
	return g
}

// readVarFile reads a file of NAME = VALUE.
func (s *Spec) readVarFile(e *evaluation, path string, values map[string]given) {
	src, err := os.ReadFile(path)
	if err != nil {
		e.diags = append(e.diags, placeless(CodeFile, "Cannot read a file of variables", "%s.", upperFirst(plainError(err).Error())))
		return
	}
	name := s.display(path)
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	s.files[name] = file
	e.diags = append(e.diags, diags...)
	if diags.HasErrors() {
		return
	}
	body := file.Body.(*hclsyntax.Body)
	for _, b := range body.Blocks {
		e.diags = append(e.diags, fault(CodeUnknownBlock, b.TypeRange, "Not a block", "A file of variables has lines such as %s = \"…\" and nothing else.", b.Type))
	}
	for _, a := range sortedAttrs(body.Attributes) {
		if s.root.variables[a.Name] == nil {
			e.diags = append(e.diags, caution(CodeVariable, a.NameRange, "Unknown variable", "The spec has no variable %q.%s", a.Name, didYouMean(a.Name, names(s.root.variables))))
			continue
		}
		val, ds := a.Expr.Value(nil)
		if val = e.settle(val, ds); ds.HasErrors() {
			val = cty.DynamicVal
		}
		values[a.Name] = given{value: val, at: a.Expr.Range()}
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
