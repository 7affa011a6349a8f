package floors

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var (
	snippet = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```")
	link    = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
)

// documents are the committed Markdown files, and those that are about to be.
func documents(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	all := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // removed, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

func TestWhatTheDocumentsShowCanBeParsed(t *testing.T) {
	found := 0
	for name, text := range documents(t) {
		for _, at := range snippet.FindAllStringSubmatchIndex(text, -1) {
			found++
			start := hcl.Pos{Line: 1 + strings.Count(text[:at[2]], "\n"), Column: 1}
			_, diags := hclsyntax.ParseConfig([]byte(text[at[2]:at[3]]), name, start)
			for _, d := range diags {
				t.Error(d)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d snippets were found in the documents", found)
	}
}

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "//") {
				continue
			}
			target := filepath.Join("../..", filepath.Dir(name), m[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}
