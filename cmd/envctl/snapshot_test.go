package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	if _, errs, code := e.run("snapshot", "save", "nothing"); code != 1 || !strings.Contains(errs, "nothing to save") {
		t.Errorf("save of nothing: exit code %d: %s", code, errs)
	}
	e.must("up")
	instance := e.instance()
	sh := func(script string) string {
		t.Helper()
		return e.must("exec", "db", "--", "sh", "-c", script)
	}
	// The folder itself, as a database has it, counts too.
	sh("echo one > /data/one; mkdir /data/sub; ln /data/one /data/sub/same; chown -R 999:998 /data; chmod 0700 /data")
	db, app := started(t, instance, "container.db"), started(t, instance, "container.app")
	_, errs, code := e.run("snapshot", "save", "first")
	if code != 0 || !inOrderIn(errs, "container.db is stopped", "container.db is ready", "Saved 1 volume") {
		t.Fatalf("save: exit code %d: %s", code, errs)
	}
	if started(t, instance, "container.db") == db || started(t, instance, "container.app") != app {
		t.Error("not the one container that holds a volume was stopped, but others")
	}
	if _, errs, code := e.run("snapshot", "save", "first"); code != 1 || !strings.Contains(errs, "already") {
		t.Errorf("save again: exit code %d: %s", code, errs)
	}
	sh("rm -r /data/sub; echo two > /data/one; echo more > /data/more; chown 0:0 /data; chmod 0755 /data")
	e.must("snapshot", "save", "second")

	var list struct {
		Snapshots []struct {
			Name     string
			Complete bool
			Volumes  []string
		}
	}
	e.decode(&list, "snapshot", "list", "--json")
	if len(list.Snapshots) != 2 || !list.Snapshots[0].Complete || !slices.Equal(list.Snapshots[0].Volumes, []string{"container.db data"}) {
		t.Errorf("list: %+v", list)
	}
	if _, errs, code := e.run("snapshot", "restore", "first"); code != 1 || !strings.Contains(errs, "--yes") || sh("cat /data/one") != "two\n" {
		t.Errorf("without leave: exit code %d: %s", code, errs)
	}
	e.must("snapshot", "restore", "first", "--yes")
	if got := sh("cd /data; ls -A; cat sub/same; stat -c '%u:%g %a %h' . one"); got != "one\nsub\none\n999:998 700 3\n999:998 644 2\n" {
		t.Errorf("restored: %q", got)
	}
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after restore there is to do: %+v", c)
	}

	// Without the volume, and without the container.
	e.must("down", "--keep-images")
	docker(t, append([]string{"volume", "rm"}, docker(t, "volume", "ls", "-q", "--filter", label(instance), "--filter", "name=.data$")...)...)
	e.must("snapshot", "restore", "second", "--yes")
	e.must("up")
	if got := sh("cd /data; ls -A; stat -c %u:%g .; cat one"); got != "more\none\n0:0\ntwo\n" {
		t.Errorf("restored the second: %q", got)
	}
	e.must("snapshot", "rm", "first")
	e.decode(&list, "snapshot", "list", "--json")
	if len(list.Snapshots) != 1 || list.Snapshots[0].Name != "second" {
		t.Errorf("after rm: %+v", list)
	}
	if _, errs, code := e.run("snapshot", "restore", "first", "--yes"); code != 1 || !strings.Contains(errs, "second") {
		t.Errorf("restore of what is removed: exit code %d: %s", code, errs)
	}
	if _, _, code := e.run("snapshot", "save", "a/b"); code != 64 {
		t.Errorf("a name with a slash: exit code %d", code)
	}
	e.must("down", "--volumes")
	if rest := left(t, instance); len(rest) > 0 {
		t.Errorf("left on the engine: %q", rest)
	}
}
