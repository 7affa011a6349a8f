package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCopyToAndFromContainers(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	e.must("up")
	if err := os.MkdirAll(filepath.Join(e.dir, "seed", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	e.write("seed/one", "one")
	e.write("seed/deep/two", "two")
	in := func(path, want string) {
		t.Helper()
		if got := e.must("exec", "db", "--", "cat", path); got != want {
			t.Errorf("in the container %s is %q, not %q", path, got, want)
		}
	}
	here := func(path, want string) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(e.dir, path))
		if err != nil || string(got) != want {
			t.Errorf("here %s is %q, not %q: %v", path, got, want, err)
		}
	}
	e.must("cp", "seed/one", "db:/data")         // into a folder
	e.must("cp", "seed/one", "container.db:/n1") // under another name
	e.must("cp", "seed", "db:/data")             // a folder into a folder
	e.must("cp", "seed/.", "db:/data")           // what is in it
	e.must("cp", "seed", "db:/fresh")            // a folder that is not there yet
	for path, want := range map[string]string{"/data/one": "one", "/n1": "one", "/data/seed/deep/two": "two", "/data/deep/two": "two", "/fresh/one": "one"} {
		in(path, want)
	}
	if owner := e.must("exec", "db", "--", "stat", "-c", "%u:%g", "/data/one"); owner != "0:0\n" {
		t.Errorf("the copy belongs to %s", owner)
	}

	e.must("stop", "db") // one that does not run has files too
	e.must("cp", "db:/data/one", "two")
	e.must("cp", "db:/data", ".")
	e.must("cp", "db:/data/.", "seed")
	e.must("cp", "db:/bin/sh", "shell") // through two links
	here("two", "one")
	here("data/seed/deep/two", "two")
	here("seed/seed/one", "one")
	if is, err := os.Lstat(filepath.Join(e.dir, "shell")); err != nil || !is.Mode().IsRegular() || is.Mode()&0o100 == 0 || is.Size() < 10000 {
		t.Errorf("/bin/sh came out as %v, %v", is, err)
	}

	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "is not there", []string{"db:/nothing", "."}},
		{1, "is not there", []string{"two", "db:/nothing/two"}},
		{1, "container.app", []string{"two", "nobody:/two"}},
		{1, "no such file", []string{"nothing", "db:/tmp"}},
		{64, "ADDRESS:PATH", []string{"two", "three"}},
		{64, "on this computer", []string{"db:/n1", "app:/n1"}},
	} {
		if _, errs, code := e.run(append([]string{"cp"}, c.args...)...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("cp %q: exit code %d: %s", c.args, code, errs)
		}
	}
}
