package envspec

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad: whatever a file holds, Load ends, every fault has a place and words, and what it finds
// good evaluates, twice to the same.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*" + Suffix, "testdata/design/*" + Suffix} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if bytes.Contains(src, []byte("template")) || len(src) > 1<<16 {
			return // no other folders, and nothing that only takes long
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "x"+Suffix)
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		s, diags := Load(LoadOptions{Dir: dir})
		var b bytes.Buffer
		if err := WriteDiagnostics(&b, s.Sources(), diags, 80, false); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "panic") && !bytes.Contains(src, []byte("panic")) {
			t.Fatalf("a panic in a message:\n%s", b.String())
		}
		for _, d := range diags {
			if d.Summary == "" || d.Detail == "" {
				t.Fatalf("no words: %+v", d)
			}
		}
		if diags.HasErrors() {
			return
		}
		one, ds := s.Evaluate(fixedFor(s), planted{})
		two, _ := s.Evaluate(fixedFor(s), planted{})
		if !ds.HasErrors() && !reflect.DeepEqual(one, two) {
			t.Fatal("two evaluations differ")
		}
	})
}

// FuzzExpression: an expression in a body that has everything in reach.
func FuzzExpression(f *testing.F) {
	for _, e := range []string{
		`container.db.port.sql.address`, `"${credential.c.password}x"`, `[for k, v in container.n : v.port.p.url if k != "a"]`,
		`{ for k in ["a"] : k => upper(k) }`, `try(local.a.b, 1)`, `local.l[*].x`, `unordered(local.l)`, `true ? local.l : null`,
		`jsonencode(container.n)`, `templatefile("x", {})`, `<<-E
  %{ for x in [1] }${x}%{ endfor }
  E
`,
	} {
		f.Add(e)
	}
	head := `environment "x" {}
credential "c" {
  username = "u"
  generate {}
}
container "db" {
  image = "x"
  port "sql" { guest = 1 }
}
container "n" {
  for_each = ["a", "b"]
  image    = "x"
  port "p" {
    guest  = 1
    scheme = "http"
  }
}
locals { l = [{ x = container.db.port.sql.port }, { x = credential.c.username }] }
container "web" {
  image = "x"
  env   = { A = `
	f.Fuzz(func(t *testing.T, expr string) {
		if len(expr) > 4096 {
			return
		}
		s, diags := Load(options(write(t, map[string]string{"x" + Suffix: head + expr + " }\n}\n"})))
		if out := render(s, diags); strings.Contains(out, "panic in function") {
			t.Fatal(out)
		}
		if diags.HasErrors() {
			return
		}
		env, diags := s.Evaluate(fixedFor(s), planted{})
		if diags.HasErrors() {
			if strings.Contains(render(s, diags), "planted-c") {
				t.Fatalf("a secret in:\n%s", render(s, diags))
			}
			return
		}
		for _, c := range env.Containers {
			for _, v := range c.Env {
				if strings.Contains(v.Value, "planted-c") && !v.Sensitive {
					t.Fatalf("a secret lost its mark: %s", expr)
				}
			}
		}
	})
}
