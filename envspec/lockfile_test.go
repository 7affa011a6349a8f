package envspec

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
)

func someLock() *Lock {
	sum := strings.Repeat("0123456789abcdef", 4)
	return &Lock{
		Templates: []LockedTemplate{{Source: "./billing", SHA256: sum}},
		Images: []LockedImage{
			{Ref: "postgres:17", Platform: "linux/arm64", Digest: "sha256:" + sum},
			{Ref: "postgres:17", Platform: "linux/amd64", Digest: "sha256:" + sum},
			{Ref: "acme/${own}:dev", Platform: "linux/amd64", LocalID: "sha256:" + sum},
		},
		Files: []LockedFile{{Path: "installers/pas \"7\".msi", SHA256: sum}, {Path: "../a.zip", SHA256: sum}},
	}
}

var noRanges = cmp.Options{
	cmpopts.IgnoreTypes(hcl.Range{}),
	cmpopts.SortSlices(func(a, b LockedImage) bool { return a.Ref+a.Platform < b.Ref+b.Platform }),
	cmpopts.SortSlices(func(a, b LockedFile) bool { return a.Path < b.Path }),
}

func TestLockFile(t *testing.T) {
	text := someLock().Bytes()
	golden(t, "testdata/lock/whole.golden", string(text))
	back, _, diags := ParseLock(text, LockName)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(someLock(), back, noRanges); diff != "" {
		t.Error(diff)
	}
	if again := back.Bytes(); !bytes.Equal(text, again) {
		t.Errorf("written again it is\n%s", again)
	}
	formatted, _ := Format(text, LockName)
	if !bytes.Equal(text, formatted) {
		t.Errorf("envctl fmt would make it\n%s", formatted)
	}
}

// TestLockFileMerges: lines of both sides in any order, with Windows line ends, are as good as sorted ones.
func TestLockFileMerges(t *testing.T) {
	lines := strings.SplitAfter(string(someLock().Bytes()), "\n")
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	text := strings.ReplaceAll(strings.Join(lines, ""), "\n", "\r\n")
	back, _, diags := ParseLock([]byte(text), LockName)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(someLock(), back, noRanges); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedLockFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/lock/*.hcl")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, file, diags := ParseLock(src, LockName)
			if !diags.HasErrors() {
				t.Fatal("nothing wrong was found")
			}
			var b bytes.Buffer
			if err := WriteDiagnostics(&b, map[string]*hcl.File{LockName: file}, diags, 90, false); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".hcl")+".golden", b.String())
		})
	}
}

// FuzzParseLock: whatever a lock file holds, each fault has a place and words, and what is read is written
// so that it is read the same.
func FuzzParseLock(f *testing.F) {
	paths, _ := filepath.Glob("testdata/lock/*.hcl")
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add(someLock().Bytes())
	f.Fuzz(func(t *testing.T, src []byte) {
		l, file, diags := ParseLock(src, LockName)
		var b bytes.Buffer
		if err := WriteDiagnostics(&b, map[string]*hcl.File{LockName: file}, diags, 80, false); err != nil {
			t.Fatal(err)
		}
		for _, d := range diags {
			if d.Summary == "" || d.Detail == "" || d.Subject == nil {
				t.Fatalf("no words or no place: %+v", d)
			}
		}
		if diags.HasErrors() {
			return
		}
		text := l.Bytes()
		back, _, diags := ParseLock(text, LockName)
		if diags.HasErrors() {
			t.Fatalf("what was written cannot be read: %v\n%s", diags, text)
		}
		if again := back.Bytes(); !bytes.Equal(text, again) {
			t.Fatalf("%s\nis written again as\n%s", text, again)
		}
		if len(l.Images) != len(back.Images) || len(l.Files) != len(back.Files) || len(l.Templates) != len(back.Templates) {
			t.Fatalf("an item was lost in\n%s", text)
		}
	})
}
