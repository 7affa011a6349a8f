package templates

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// complete is the embedded file system with the installers that `make build` would have put there.
func complete(t *testing.T) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	err := fs.WalkDir(embedded, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(embedded, p)
		all[p] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range needed {
		for _, f := range files {
			all[name+"/"+f] = &fstest.MapFile{Data: []byte("an installer")}
		}
	}
	return all
}

func TestList(t *testing.T) {
	if !slices.Contains(List(), "quickstart") {
		t.Errorf("List() = %v lacks quickstart", List())
	}
}

func TestWriteGivesAFolderThatItsSpecCanUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if err := write(complete(t), "quickstart", dir); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"README.md", "installers/pas.msi", "db/start.sh", "booking/start.sh", "booking/booking.conf", "booking/index.html"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".go") || strings.HasPrefix(d.Name(), ".") {
			t.Errorf("%s has no place in a user's folder", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "db", "start.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("start.sh cannot be run: %v, %v", info.Mode(), err)
	}
	for _, path := range namedBySpec(t, filepath.Join(dir, "env.envctl.hcl")) {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Errorf("the spec names a file that is not there: %v", err)
		}
	}
}

func TestWriteRefusesToOverwrite(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "env.envctl.hcl")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := write(complete(t), "quickstart", dir)
	if err == nil || !strings.Contains(err.Error(), mine) {
		t.Errorf("got %v, want an error that names %s", err, mine)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	if b, err := os.ReadFile(mine); err != nil || string(b) != "mine" {
		t.Errorf("the file now holds %q, %v", b, err)
	}
}

func TestWriteSaysWhatIsNotThere(t *testing.T) {
	if err := Write("nope", t.TempDir()); err == nil || !strings.Contains(err.Error(), "quickstart") {
		t.Errorf("got %v, want an error that names the templates there are", err)
	}
	without := complete(t).(fstest.MapFS)
	delete(without, "quickstart/installers/pas.msi")
	dir := t.TempDir()
	if err := write(without, "quickstart", dir); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v, want ErrMissing that names `make build`", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("something was written all the same: %v, %v", entries, err)
	}
}

// namedBySpec gives the relative paths that a spec's context and source arguments name.
func namedBySpec(t *testing.T, path string) []string {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var names []string
	var walk func(*hclsyntax.Body)
	walk = func(b *hclsyntax.Body) {
		for _, a := range b.Attributes {
			if a.Name != "context" && a.Name != "source" {
				continue
			}
			v, diags := a.Expr.Value(nil)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			names = append(names, v.AsString())
		}
		for _, inner := range b.Blocks {
			walk(inner.Body)
		}
	}
	walk(file.Body.(*hclsyntax.Body))
	if len(names) < 3 {
		t.Fatalf("only %v were found in the spec", names)
	}
	return names
}
