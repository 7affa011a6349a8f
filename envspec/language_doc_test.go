package envspec

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// TestLanguageDocument: docs/language.md says what the table says. `make generate` writes it anew.
func TestLanguageDocument(t *testing.T) { golden(t, "../docs/language.md", languageDocument(t)) }

func documentTemplate(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("language.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// languageDocument fills the document's template in from the table.
func languageDocument(t *testing.T) string {
	t.Helper()
	lang := language()
	find := func(name string) *block {
		b := lang.block(name)
		if b == nil {
			t.Fatalf("language.md.tmpl names a block %q, and there is none", name)
		}
		return b
	}
	w := &tables{seen: map[string][]*block{}, at: map[*block]string{}}
	asked := map[string]bool{}
	tmpl, err := template.New("").Funcs(template.FuncMap{
		"doc":       func(name string) string { return find(name).Doc },
		"table":     func(name string) string { asked[name] = true; return w.table(find(name)) },
		"functions": functionList,
	}).Parse(documentTemplate(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	for _, b := range lang.Blocks {
		if !asked[b.Name] && !b.Free {
			t.Errorf("language.md.tmpl has no {{table %q}}", b.Name)
		}
	}
	return out.String()
}

// TestEveryBlockHasAnExample: the document shows each block that can be written, well laid out.
func TestEveryBlockHasAnExample(t *testing.T) {
	shown := map[string]bool{}
	var note func(b *hclsyntax.Body, path string)
	note = func(b *hclsyntax.Body, path string) {
		for _, c := range b.Blocks {
			shown[path+c.Type] = true
			note(c.Body, path+c.Type+" ")
		}
	}
	for _, part := range strings.Split(documentTemplate(t), "```hcl\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		file, diags := hclsyntax.ParseConfig([]byte(text), "language.md.tmpl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if nice, _ := Format([]byte(text), "language.md.tmpl"); string(nice) != text {
			t.Errorf("not laid out as envctl fmt does it:\n%s", text)
		}
		note(file.Body.(*hclsyntax.Body), "")
	}
	same := strings.NewReplacer("job ", "container ", "windows ready", "container ready") // shown once
	var walk func(b *block, path string)
	walk = func(b *block, path string) {
		for _, c := range b.Blocks {
			if as := same.Replace(path + c.Name); !shown[as] {
				t.Errorf("language.md.tmpl has no example of %s", as)
			}
			walk(c, path+c.Name+" ")
		}
	}
	walk(language(), "")
}

func functionList() string {
	s := newSpec(LoadOptions{})
	list := names(s.functions(&scope{spec: s, dir: s.Dir}))
	return "`" + strings.Join(list, "`, `") + "`."
}

// tables writes what blocks take.
type tables struct {
	tops []*block
	seen map[string][]*block // inner blocks, by name
	at   map[*block]string
}

func (w *tables) table(b *block) string {
	var out strings.Builder
	w.arguments(&out, b)
	w.inner(&out, b, b.Name)
	w.tops = append(w.tops, b)
	return strings.TrimPrefix(out.String(), "\n")
}

// inner writes the blocks in a block; of those that another block has too, only where they are.
func (w *tables) inner(out *strings.Builder, b *block, path string) {
	same := map[string][]string{}
	for _, c := range b.Blocks {
		if i := slices.IndexFunc(w.seen[c.Name], func(x *block) bool { return reflect.DeepEqual(x, c) }); i >= 0 {
			where := w.at[w.seen[c.Name][i]]
			same[where] = append(same[where], c.Name)
			continue
		}
		w.seen[c.Name] = append(w.seen[c.Name], c)
		w.at[c] = path
		here := path + " › " + c.Name
		fmt.Fprintf(out, "\n#### %s\n\n`%s`%s. %s\n", here, c.heading(), c.occurs(), c.Doc)
		w.arguments(out, c)
		w.inner(out, c, here)
	}
	for _, where := range slices.Sorted(maps.Keys(same)) {
		fmt.Fprintf(out, "\nAs in %s: %s.\n", where, code(same[where]))
	}
}

func (w *tables) arguments(out *strings.Builder, b *block) {
	for _, set := range b.ExactlyOne {
		fmt.Fprintf(out, "\nNeeds exactly one of %s.\n", code(set))
	}
	for _, set := range b.AtMostOne {
		fmt.Fprintf(out, "\nTakes at most one of %s.\n", code(set))
	}
	if b.Free {
		out.WriteString("\nTakes arguments of any name.\n")
	}
	args := b.Attrs
	for _, top := range w.tops {
		var same []string
		rest := slices.DeleteFunc(slices.Clone(b.Attrs), func(a attribute) bool {
			other := top.attr(a.Name)
			if other == nil || !reflect.DeepEqual(*other, a) {
				return false
			}
			same = append(same, a.Name)
			return true
		})
		if len(same) > 5 {
			args = rest
			fmt.Fprintf(out, "\nAs in %s: %s.\n", top.Name, code(same))
		}
	}
	if len(args) > 0 {
		out.WriteString("\n| argument | takes | |\n|---|---|---|\n")
		for _, a := range args {
			fmt.Fprintf(out, "| `%s` | %s | %s |\n", a.Name, cell(a.takes(b.Static)), cell(a.Doc))
		}
	}
}

// heading shows a block's head as it is written.
func (b *block) heading() string {
	head := b.Name
	for i, l := range b.Labels {
		switch {
		case len(b.LabelEnum) > 0 && i == 0:
			head += ` "` + strings.Join(b.LabelEnum, `"|"`) + `"`
		case b.OptionalLabel:
			head += ` ["` + strings.ToUpper(l) + `"]`
		default:
			head += ` "` + strings.ToUpper(l) + `"`
		}
	}
	return head + " { … }"
}

func (b *block) occurs() string {
	switch {
	case b.Required:
		return ", once"
	case b.Max == 1:
		return ", at most once"
	}
	return ", any number"
}

// takes says what an argument takes.
func (a *attribute) takes(static bool) string {
	parts := []string{a.Type.describe()}
	if len(a.Enum) > 0 {
		parts = []string{"`\"" + strings.Join(a.Enum, "\"`, `\"") + "\"`"}
	}
	if a.Required {
		parts = append(parts, "required")
	}
	if (a.Static || static) && !a.Literal {
		parts = append(parts, "*static*")
	}
	switch a.Type {
	case textValue, textsValue, registryValues:
		parts = append(parts, "may be secret")
	}
	return strings.Join(parts, "; ")
}

func code(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "`" + n + "`"
	}
	return strings.Join(quoted, ", ")
}

// cell makes text safe inside a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
