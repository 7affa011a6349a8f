package envspec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// places lists every node of a body with where it stands, but for sets of arguments, which have no order.
func places(body *hclsyntax.Body) []string {
	var out []string
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		if _, ok := n.(hclsyntax.Attributes); ok {
			return nil
		}
		r := n.Range()
		out = append(out, fmt.Sprintf("%T %s bytes %d to %d", n, r, r.Start.Byte, r.End.Byte))
		return nil
	})
	slices.Sort(out)
	return out
}

func parsedWhole(t *testing.T, src string) *hclsyntax.Body {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(src), "x", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return file.Body.(*hclsyntax.Body)
}

func TestAFileInPartsIsTheFile(t *testing.T) {
	src := manyContainers(1000)
	parts, ok := parseParts([]byte(src), "x")
	if !ok {
		t.Fatal("a well-formed file was not parsed in parts")
	}
	whole := parsedWhole(t, src)
	if len(parts.Blocks) != len(whole.Blocks) || parts.Range() != whole.Range() || parts.EndRange != whole.EndRange {
		t.Errorf("%d blocks in %s (%v), want %d in %s (%v)", len(parts.Blocks), parts.Range(), parts.EndRange, len(whole.Blocks), whole.Range(), whole.EndRange)
	}
	var got, want []string
	for _, b := range parts.Blocks {
		got = append(got, places(b.Body)...)
	}
	for _, b := range whole.Blocks {
		want = append(want, places(b.Body)...)
	}
	if !reflect.DeepEqual(got, want) {
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("node %d of %d: got %s, want %s", i, len(want), got[min(i, len(got)-1)], want[i])
			}
		}
		t.Fatalf("%d nodes, want %d", len(got), len(want))
	}
}

func TestWhatCannotBePartedIsParsedWhole(t *testing.T) {
	filler := strings.Repeat("# "+strings.Repeat("-", 76)+"\n", 2*partSize/79+1)
	for name, src := range map[string]string{
		"heredoc":    "locals {\n  a = <<-EOT\n" + filler + "}\n}\n  EOT\n}\nlocals {\n  b = 1\n}\n",
		"comment":    "/*\n" + filler + "}\n}\n*/\nlocals {\n  b = 1\n}\n",
		"no blocks":  filler,
		"one block":  "locals {\n" + filler + "}\n",
		"a mistake":  "locals {\n" + filler + "}\nlocals {\n  b = = 1\n}\nlocals {\n  c = 1\n}\n",
		"set twice":  "a = 1\nlocals {\n" + filler + "}\na = 2\n",
		"no newline": "locals {\n" + filler + "}\nlocals {\n}",
	} {
		t.Run(name, func(t *testing.T) {
			file, diags := parseSource([]byte(src), "x")
			want, wantDiags := hclsyntax.ParseConfig([]byte(src), "x", hcl.InitialPos)
			if !reflect.DeepEqual(texts(diags), texts(wantDiags)) {
				t.Errorf("diagnostics\n%v, want\n%v", diags, wantDiags)
			}
			if got, want := places(file.Body.(*hclsyntax.Body)), places(want.Body.(*hclsyntax.Body)); !reflect.DeepEqual(got, want) {
				t.Errorf("nodes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func texts(diags hcl.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		out = append(out, d.Error())
	}
	return out
}
