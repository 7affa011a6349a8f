package envspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
)

func TestEval(t *testing.T) {
	s := load(t, fourVantages+"\ncredential \"c\" {\n  username = \"u\"\n  generate {}\n}\ncontainer \"n\" {\n  for_each = [\"a\"]\n  image    = \"n\"\n}\n")
	tests := []struct {
		from, expr, want string
		wires            []string
	}{
		{"host", "local.pas_url", "http://host-sees-pas:1", []string{"host > windows.pas.port.api"}},
		{"container.web", "local.pas_url", "http://container.web-sees-pas:1", []string{"container.web > windows.pas.port.api"}},
		{"windows.other", "upper(local.pas_url)", "HTTP://WINDOWS.OTHER-SEES-PAS:1", []string{"windows.other > windows.pas.port.api"}},
		{"host", "[1, true]", "[1,true]", nil},
		{"host", "1 + 2", "3", nil},
		{"host", "credential.c.password", "(sensitive)", nil},
		{`container.n["a"]`, "each.key", "a", nil},
		{"host", "locl.x", "error: There is no \"locl\". Did you mean \"local\"?", nil},
		{"host", "1 +", "error: ", nil},
		{"container.nope", "1", "error: There is no container.nope", nil},
		{"host", `container.n["z"]`, "error: ", nil},
		{"host", `credential.c.password == "x" ? 1 : 2`, "error: What follows from it would show it", nil},
	}
	for _, tt := range tests {
		t.Run(tt.from+" "+tt.expr, func(t *testing.T) {
			from, err := addr.Parse(tt.from)
			if err != nil {
				t.Fatal(err)
			}
			got, diags := s.Eval(tt.expr, from, byName{}, planted{})
			if want, bad := strings.CutPrefix(tt.want, "error: "); bad {
				if !diags.HasErrors() || !strings.Contains(render(s, diags), want) {
					t.Errorf("want %q in:\n%s", want, render(s, diags))
				}
				return
			}
			if diags.HasErrors() {
				t.Fatal(render(s, diags))
			}
			if got.Text.String() != tt.want {
				t.Errorf("got %s, want %s", got.Text, tt.want)
			}
			if diff := cmp.Diff(tt.wires, wiresOf(&Environment{Wires: got.Wires})); diff != "" {
				t.Errorf("wires -want +got:\n%s", diff)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	got, diags := Format([]byte("container \"x\" {\nimage=\"y\"\n  env = { A=1 }\n}\n"), "x.envctl.hcl")
	if want := "container \"x\" {\n  image = \"y\"\n  env   = { A = 1 }\n}\n"; string(got) != want || diags.HasErrors() {
		t.Errorf("got %q, %v", got, diags)
	}
	if _, diags := Format([]byte("container {"), "x"); !diags.HasErrors() {
		t.Error("a syntax error was formatted")
	}
}

func TestFind(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": "", "a/b/c.txt": ""})
	got, err := Find(dir + "/a/b")
	if err != nil || got != dir {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Find(t.TempDir()); err == nil || !strings.Contains(err.Error(), "envctl init") {
		t.Errorf("got %v", err)
	}
}
