package volume

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestReplace(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	then := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	must(os.WriteFile(filepath.Join(to, "old"), nil, 0o600))
	must(os.Mkdir(filepath.Join(from, "closed"), 0o700))
	must(os.WriteFile(filepath.Join(from, "closed", "one"), []byte("one"), 0o600))
	must(os.Link(filepath.Join(from, "closed", "one"), filepath.Join(from, "same")))
	must(os.Symlink("nowhere", filepath.Join(from, "link")))
	must(syscall.Mkfifo(filepath.Join(from, "pipe"), 0o640))
	must(os.Chtimes(filepath.Join(from, "same"), then, then))
	must(os.Chmod(filepath.Join(from, "closed"), 0o500))
	must(os.Chtimes(filepath.Join(from, "closed"), then, then))
	must(os.Chmod(from, 0o711))
	if os.Getuid() == 0 {
		must(os.Lchown(filepath.Join(from, "link"), 999, 998))
		must(os.Chown(filepath.Join(from, "same"), 999, 998))
		must(os.Chmod(filepath.Join(from, "same"), 0o640|os.ModeSetuid))
	}
	must(Replace(from, to))

	for _, name := range []string{".", "closed", "closed/one", "same", "link", "pipe"} {
		want, err := os.Lstat(filepath.Join(from, name))
		must(err)
		got, err := os.Lstat(filepath.Join(to, name))
		if err != nil {
			t.Error(err)
			continue
		}
		w, g := want.Sys().(*syscall.Stat_t), got.Sys().(*syscall.Stat_t)
		if got.Mode() != want.Mode() || !got.ModTime().Equal(want.ModTime()) || g.Uid != w.Uid || g.Gid != w.Gid || g.Nlink != w.Nlink {
			t.Errorf("%s: %v %v %d:%d, %d names; want %v %v %d:%d, %d", name, got.Mode(), got.ModTime(), g.Uid, g.Gid, g.Nlink,
				want.Mode(), want.ModTime(), w.Uid, w.Gid, w.Nlink)
		}
	}
	if text, err := os.ReadFile(filepath.Join(to, "closed", "one")); string(text) != "one" {
		t.Errorf("content %q, %v", text, err)
	}
	if target, err := os.Readlink(filepath.Join(to, "link")); target != "nowhere" {
		t.Errorf("link to %q, %v", target, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "old")); !os.IsNotExist(err) {
		t.Errorf("what was there is there still: %v", err)
	}
	must(os.Chmod(filepath.Join(from, "closed"), 0o700)) // for the test's own clean-up
	must(os.Chmod(filepath.Join(to, "closed"), 0o700))
}
