package envspec

import (
	"strings"
	"testing"
)

// TestVariablePrecedence: the environment, then files by name, then files named, then the command line.
func TestVariablePrecedence(t *testing.T) {
	files := map[string]string{
		"env.envctl.hcl": `
environment "x" {}
variable "v" {
  type    = string
  default = "default"
}
container "c" {
  image = "c"
  env   = { V = var.v }
}
`,
	}
	steps := []struct {
		name string
		do   func(*LoadOptions)
		file string
		want string
	}{
		{"default", func(*LoadOptions) {}, "", "default"},
		{"environment", func(o *LoadOptions) {
			o.Environ = func(n string) (string, bool) { return "environment", n == "ENVCTL_VAR_v" }
		}, "", "environment"},
		{"a.auto.vars.hcl", func(*LoadOptions) {}, "a.auto.vars.hcl", "a.auto.vars.hcl"},
		{"b.auto.vars.hcl", func(*LoadOptions) {}, "b.auto.vars.hcl", "b.auto.vars.hcl"},
		{"file", func(o *LoadOptions) { o.VarFiles = []string{o.Dir + "/ci.vars.hcl"} }, "ci.vars.hcl", "ci.vars.hcl"},
		{"command line", func(o *LoadOptions) { o.Vars["v"] = "command line" }, "", "command line"},
	}
	var options LoadOptions
	options.Vars = map[string]string{}
	for i, step := range steps {
		if step.file != "" {
			files[step.file] = "v = \"" + step.file + "\"\n"
		}
		options.Dir = write(t, files)
		for _, s := range steps[:i+1] {
			s.do(&options)
		}
		s, diags := Load(options)
		if diags.HasErrors() {
			t.Fatalf("%s: %s", step.name, render(s, diags))
		}
		if got := evaluate(t, s).env(t, "container.c")["V"]; got != step.want {
			t.Errorf("%s: got %q", step.name, got)
		}
	}
}

// TestVariableTypes: text from outside is read by the variable's type.
func TestVariableTypes(t *testing.T) {
	tests := []struct{ typ, text, want string }{
		{"string", "a b", `"a b"`},
		{"number", "12", `12`},
		{"bool", "true", `true`},
		{"list(string)", `["a", "b"]`, `["a","b"]`},
		{"set(number)", `[2, 1, 2]`, `[1,2]`},
		{"map(number)", `{ a = 1 }`, `{"a":1}`},
		{"object({ name = string, port = optional(number, 80), tags = optional(list(string), []) })", `{ name = "x" }`, `{"name":"x","port":80,"tags":[]}`},
		{"any", "x", `"x"`},
	}
	for _, tt := range tests {
		t.Run(tt.typ, func(t *testing.T) {
			s := load(t, "environment \"x\" {}\nvariable \"v\" { type = "+tt.typ+" }\ncontainer \"c\" {\n  image = \"c\"\n  env   = { V = jsonencode(var.v) }\n}\n", "v", tt.text)
			if got := evaluate(t, s).env(t, "container.c")["V"]; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestVariableMistakes: what comes from outside the spec is named as it was given.
func TestVariableMistakes(t *testing.T) {
	const spec = "environment \"x\" {}\nvariable \"size\" { type = number }\noutput \"o\" { value = var.size }\n"
	tests := []struct {
		name string
		set  func(*LoadOptions)
		file string
		want string
	}{
		{"unknown", func(o *LoadOptions) { o.Vars = map[string]string{"sizee": "1", "size": "1"} }, "", `Did you mean "size"?`},
		{"type", func(o *LoadOptions) { o.Vars = map[string]string{"size": "many"} }, "", "given by --var size"},
		{"unknown in a file", func(*LoadOptions) {}, "sise = 1\nsize = 2\n", `The spec has no variable "sise". Did you mean "size"?`},
		{"type in a file", func(*LoadOptions) {}, "size = [1]\n", "The value of var.size must be a number"},
		{"block in a file", func(*LoadOptions) {}, "size = 1\nvariable \"x\" {}\n", "A file of variables has lines such as"},
		{"no such file", func(o *LoadOptions) { o.VarFiles = []string{"nowhere.hcl"}; o.Vars = map[string]string{"size": "1"} }, "", "Cannot read a file of variables"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"env.envctl.hcl": spec}
			if tt.file != "" {
				files["x.auto.vars.hcl"] = tt.file
			}
			o := options(write(t, files))
			tt.set(&o)
			s, diags := Load(o)
			if out := render(s, diags); !strings.Contains(out, tt.want) {
				t.Errorf("want %q in:\n%s", tt.want, out)
			}
		})
	}
}
