package envspec

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file beside the tests, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go test ./envspec -update and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestWholeSpec(t *testing.T) {
	s := loadDir(t, "testdata/design", "pas_host", "10.1.2.3")
	env := evaluate(t, s)
	for _, m := range env.Machines {
		for i := range m.Layers {
			if p := m.Layers[i].Package; p != nil {
				p.Source.Path = filepath.Base(p.Source.Path)
			}
		}
	}
	for _, c := range env.Containers {
		if c.Build != nil {
			c.Build.Context = filepath.Base(c.Build.Context)
		}
	}
	golden(t, "testdata/design/environment.json", compact(t, env))
}

// compact gives v as JSON without what is empty, so that a new field of the model changes no golden file.
func compact(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	b, err = json.MarshalIndent(prune(tree), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, el := range v {
			if empty(el) {
				delete(v, k)
			} else {
				v[k] = prune(el)
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case float64:
		return v == 0
	}
	return false
}
