package tarball

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestThereAndBack(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"a/one.txt": "one", "a/sub/two.sh": "two"} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(from, "a/one.txt"), then, then); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub/two.sh", filepath.Join(from, "a/link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ pack, unpack, at string }{{"a", "b", "b"}, {"a", ".", "."}} {
		var archive bytes.Buffer
		n, err := Pack(&archive, filepath.Join(from, "a"), c.pack)
		if err != nil || n.Files != 3 || n.Bytes != 6 {
			t.Fatalf("packed %+v, %v", n, err)
		}
		if n, err = Unpack(&archive, to, c.unpack); err != nil || n.Files != 3 || n.Bytes != 6 {
			t.Fatalf("unpacked %+v, %v", n, err)
		}
		text, err := os.ReadFile(filepath.Join(to, c.at, "link"))
		if err != nil || string(text) != "two" {
			t.Errorf("through the link: %q, %v", text, err)
		}
		is, err := os.Stat(filepath.Join(to, c.at, "one.txt"))
		if err != nil || is.Mode().Perm() != 0o750 || !is.ModTime().Equal(then) {
			t.Errorf("one.txt: %v, %v", is, err)
		}
	}
}

func TestNothingIsWrittenOutside(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]tar.Header{
		"a name with dots":         {{Name: "a/../../evil", Typeflag: tar.TypeReg}},
		"through an absolute link": {{Name: "a/out", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "a/out/evil", Typeflag: tar.TypeReg}},
		"through a relative link":  {{Name: "a/out", Typeflag: tar.TypeSymlink, Linkname: "../.."}, {Name: "a/out/evil", Typeflag: tar.TypeReg}},
		"a hard link to elsewhere": {{Name: "a/evil", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
	} {
		t.Run(name, func(t *testing.T) {
			var archive bytes.Buffer
			w := tar.NewWriter(&archive)
			for _, h := range entries {
				h.Mode = 0o644
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			parent := t.TempDir()
			dir := filepath.Join(parent, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			_, _ = Unpack(&archive, dir, "a") // an error is as good as a place inside
			for _, at := range []string{outside, parent} {
				_ = filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
					if path == dir {
						return fs.SkipDir
					}
					if d.Name() == "evil" {
						t.Errorf("%s was written", path)
					}
					return err
				})
			}
		})
	}
}
