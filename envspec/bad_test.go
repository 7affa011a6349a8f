package envspec

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestBadSpecs holds what each mistake reads like. After -update, read every file that changed as
// the person who made the mistake.
func TestBadSpecs(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*" + Suffix)
	if err != nil || len(paths) < 20 {
		t.Fatalf("found %d bad specs: %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), Suffix)
		t.Run(name, func(t *testing.T) {
			s, diags := Load(LoadOptions{Dir: filepath.Dir(path), Files: []string{path}, ToolVersion: "0.1.0"})
			if len(diags) == 0 {
				t.Fatal("Load found nothing wrong")
			}
			for _, d := range diags {
				d.Detail = strings.ReplaceAll(d.Detail, s.Dir, "DIR") // before its lines are broken
				if codeOf(d) == "" || d.Summary == "" || d.Detail == "" {
					t.Errorf("a diagnostic without code, summary or detail: %+v", d)
				}
			}
			var b bytes.Buffer
			if err := WriteDiagnostics(&b, s.Sources(), diags, 90, false); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, Suffix)+".golden", b.String())
			if _, ds := s.Evaluate(fixedFor(s), planted{}); diags.HasErrors() && !ds.HasErrors() {
				t.Error("Evaluate went on with a spec that has mistakes")
			}
		})
	}
}

// TestFiveMistakes: every fault of a spec is shown in one run, each with its line.
func TestFiveMistakes(t *testing.T) {
	_, diags := Load(LoadOptions{Dir: "testdata/bad", Files: []string{"testdata/bad/five-mistakes.envctl.hcl"}})
	lines := map[int]bool{}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			lines[d.Subject.Start.Line] = true
		}
	}
	for _, want := range []int{4, 5, 11, 12, 15} {
		if !lines[want] {
			t.Errorf("no error on line %d", want)
		}
	}
}
