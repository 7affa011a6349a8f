package envspec

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/addr"
)

// fixed gives each vantage addresses of its own: the host and Windows by number, containers by name.
type fixed struct{ ports map[addr.Endpoint]int }

func fixedFor(s *Spec) fixed {
	f := fixed{map[addr.Endpoint]int{}}
	for i, e := range s.Endpoints() {
		f.ports[e.Endpoint] = 20000 + i
	}
	return f
}

func (f fixed) Address(from addr.Addr, to addr.Endpoint) (string, int) {
	switch {
	case from.IsHost():
		return "127.0.0.1", f.ports[to]
	case from.Kind == addr.Windows:
		return "127.0.0.1", f.ports[to] + 10000
	}
	return to.Addr.DNS(), f.ports[to] + 20000
}

// planted gives every credential a value that is easy to find where it should not be.
type planted struct{}

func (planted) Credential(name string) (CredentialValue, error) {
	return CredentialValue{Username: "user-" + name, Password: "planted-" + name}, nil
}

// write makes a folder of the files given, by slash path.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads one file that must have no mistake.
func load(t testing.TB, text string, vars ...string) *Spec {
	t.Helper()
	return loadDir(t, write(t, map[string]string{"env.envctl.hcl": text}), vars...)
}

func loadDir(t testing.TB, dir string, vars ...string) *Spec {
	t.Helper()
	s, diags := Load(options(dir, vars...))
	if diags.HasErrors() {
		t.Fatalf("load:\n%s", render(s, diags))
	}
	return s
}

func options(dir string, vars ...string) LoadOptions {
	o := LoadOptions{Dir: dir, Vars: map[string]string{}, ToolVersion: "0.1.0"}
	for i := 0; i+1 < len(vars); i += 2 {
		o.Vars[vars[i]] = vars[i+1]
	}
	return o
}

func evaluate(t testing.TB, s *Spec) *Environment {
	t.Helper()
	env, diags := s.Evaluate(fixedFor(s), planted{})
	if diags.HasErrors() {
		t.Fatalf("evaluate:\n%s", render(s, diags))
	}
	return env
}

func render(s *Spec, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	if err := WriteDiagnostics(&b, s.Sources(), diags, 0, false); err != nil {
		return err.Error()
	}
	return b.String()
}

// problems gives the diagnostics of a spec, one a line, without their places.
func problems(t testing.TB, files map[string]string, vars ...string) string {
	t.Helper()
	s, diags := Load(options(write(t, files), vars...))
	_ = s
	var b bytes.Buffer
	for _, d := range diags {
		fmt.Fprintf(&b, "%s: %s\n", d.Summary, d.Detail)
	}
	return b.String()
}

// env gives a container's environment by the container's name.
func (e *Environment) env(t testing.TB, address string) map[string]string {
	t.Helper()
	for _, c := range e.Containers {
		if c.Addr.String() == address {
			out := map[string]string{}
			for k, v := range maps.All(c.Env) {
				out[k] = v.Reveal()
				if v.Sensitive {
					out[k] += " (sensitive)"
				}
			}
			return out
		}
	}
	t.Fatalf("no %s", address)
	return nil
}
