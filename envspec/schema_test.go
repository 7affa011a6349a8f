package envspec

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTable: every argument and block says what it is for, once.
func TestTable(t *testing.T) {
	var walk func(b *block, path string)
	walk = func(b *block, path string) {
		seen := map[string]bool{}
		for _, a := range b.Attrs {
			if a.Doc == "" || seen[a.Name] {
				t.Errorf("%s.%s: no words, or there twice", path, a.Name)
			}
			seen[a.Name] = true
		}
		for _, c := range b.Blocks {
			if c.Doc == "" || seen[c.Name] {
				t.Errorf("%s.%s: no words, or there twice", path, c.Name)
			}
			seen[c.Name] = true
			walk(c, path+"."+c.Name)
		}
		for other, name := range b.Foreign {
			if b.attr(other) != nil || b.block(other) != nil || b.attr(name) == nil && b.block(name) == nil {
				t.Errorf("%s: %q is not another tool's name for %q", path, other, name)
			}
		}
	}
	walk(language(), "")
}

func TestJSONSchema(t *testing.T) {
	b, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"registry"`, `"stop_grace"`, `"unless-stopped"`, `"sandbox"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in it", want)
		}
	}
}
