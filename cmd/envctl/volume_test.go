package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharing has two containers that mount one volume, another that mounts one of the engine's, and a template with
// a volume of the same name.
const sharing = `
environment "sharing" {}
volume "uploads" {}
volume "theirs" {
  external = %q
}
template "inner" { source = "./inner" }

container "writer" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
  labels  = { version = %q }
  volume "u" {
    source = volume.uploads
    target = "/data"
  }
  volume "t" {
    source = volume.theirs
    target = "/theirs"
  }
}

container "reader" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
  volume "u" {
    source    = volume.uploads
    target    = "/in"
    read_only = true
  }
}

container "other" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
}
`

const sharingInner = `
volume "uploads" {}
container "own" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
  volume "u" {
    source = volume.uploads
    target = "/data"
  }
}
`

func TestSharedVolume(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	external := fmt.Sprintf("envctl-cmd-external-%d", os.Getpid())
	e.write("env.envctl.hcl", fmt.Sprintf(sharing, external, "1"))
	if err := os.Mkdir(filepath.Join(e.dir, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	e.write("inner/inner.envctl.hcl", sharingInner)

	for _, command := range []string{"plan", "up"} {
		_, errs, code := e.run(command)
		if code != 1 || !strings.Contains(errs, "volume.theirs is external") || !strings.Contains(errs, "docker volume create "+external) {
			t.Fatalf("%s without the external volume: exit code %d: %s", command, code, errs)
		}
	}
	if rest := left(t, e.instance()); len(rest) > 0 {
		t.Errorf("before it is there, up made %q", rest)
	}
	docker(t, "volume", "create", external)
	t.Cleanup(func() { docker(t, "volume", "rm", "--force", external) })
	e.must("up")
	instance := e.instance()
	sh := func(in, script string) string {
		t.Helper()
		return e.must("exec", in, "--", "sh", "-c", script)
	}
	sh("writer", "echo one > /data/f; echo theirs > /theirs/f")
	if got := sh("reader", "cat /in/f; touch /in/g 2>/dev/null || echo refused"); got != "one\nrefused\n" {
		t.Errorf("in the reader: %q", got)
	}
	if got := sh("template.inner.container.own", "ls -A /data"); got != "" {
		t.Errorf("the template's volume is the root's: %q", got)
	}

	// Both that hold it are stopped while it is copied, the third is not.
	writer, reader, other := started(t, instance, "container.writer"), started(t, instance, "container.reader"), started(t, instance, "container.other")
	e.must("snapshot", "save", "s")
	if started(t, instance, "container.writer") == writer || started(t, instance, "container.reader") == reader || started(t, instance, "container.other") != other {
		t.Error("not those that hold the volume were stopped for the snapshot")
	}
	var list struct{ Snapshots []struct{ Volumes []string } }
	e.decode(&list, "snapshot", "list", "--json")
	if len(list.Snapshots) != 1 || !slices.Equal(list.Snapshots[0].Volumes, []string{"template.inner.volume.uploads", "volume.uploads"}) {
		t.Errorf("the snapshot holds %+v", list)
	}
	sh("writer", "echo two > /data/f")

	// Another container in the place of the one that wrote.
	e.write("env.envctl.hcl", fmt.Sprintf(sharing, external, "2"))
	before := container(t, instance, "container.writer")
	e.must("up")
	if container(t, instance, "container.writer") == before {
		t.Error("the container was not replaced")
	}
	if got := sh("writer", "cat /data/f /theirs/f"); got != "two\ntheirs\n" {
		t.Errorf("after the replacement: %q", got)
	}
	e.must("snapshot", "restore", "s", "--yes")
	if got := sh("reader", "cat /in/f"); got != "one\n" {
		t.Errorf("after the restore: %q", got)
	}

	e.must("down", "--keep-images")
	e.must("up")
	if got := sh("reader", "cat /in/f"); got != "one\n" {
		t.Errorf("after down and up: %q", got)
	}
	e.must("down", "--volumes")
	if rest := left(t, instance); len(rest) > 0 {
		t.Errorf("left on the engine: %q", rest)
	}
	if got := docker(t, "volume", "ls", "-q", "--filter", "name="+external); !slices.Contains(got, external) {
		t.Error("the external volume was removed")
	}
}
