package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/nettest"
)

// TestOrphans: what is no longer in the spec goes with leave only, and all else is done without.
func TestOrphans(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	both := `environment "orphans" {}` + sleeperBlock("container", "stays", "1") + sleeperBlock("container", "old", "1")
	one := `environment "orphans" {}` + sleeperBlock("container", "stays", "2")
	e.write("env.envctl.hcl", both)
	e.must("up")
	instance := e.instance()
	old, stays := container(t, instance, "container.old"), container(t, instance, "container.stays")
	e.write("env.envctl.hcl", one)

	_, errs, code := e.run("up")
	if code != 0 || !strings.Contains(errs, "container.old") || !strings.Contains(errs, "up --yes") {
		t.Errorf("without leave: exit code %d: %s", code, errs)
	}
	if container(t, instance, "container.old") != old || container(t, instance, "container.stays") == stays {
		t.Error("the orphan is another, or what remains was not changed")
	}
	e.onlyChange("container.old", "delete")

	// A plan that shows it and was written down is leave.
	file := filepath.Join(e.dir, "plan.json")
	e.must("plan", "--out", file)
	if _, errs, code := e.run("up", file); code != 0 || strings.Contains(errs, "Left as it is") {
		t.Errorf("up of the plan: exit code %d: %s", code, errs)
	}
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after the plan there is to do: %+v", c)
	}

	e.write("env.envctl.hcl", both)
	e.must("up")
	e.write("env.envctl.hcl", one)
	e.must("up", "--yes")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after --yes there is to do: %+v", c)
	}

	// What gives its name to a resource of another kind is no orphan: the two cannot both be there.
	e.write("env.envctl.hcl", `environment "orphans" {}
job "stays" {
  image   = "debian:trixie-slim"
  command = ["true"]
}
`)
	e.must("up")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after another kind took the name there is to do: %+v", c)
	}
}

// TestOrphanWithAPort: what stays for want of leave holds the port that the spec gives to another, which is said before
// anything is done.
func TestOrphanWithAPort(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	port := nettest.FreePort(t)
	spec := func(name string) {
		pinned := fmt.Sprintf("port \"p\" {\n    guest = 80\n    host  = %d\n  }\n  image", port)
		e.write("env.envctl.hcl", `environment "pinned" {}`+strings.Replace(sleeperBlock("container", name, "1"), "image", pinned, 1))
	}
	spec("old")
	e.must("up")
	instance := e.instance()
	old := container(t, instance, "container.old")
	spec("new")
	_, errs, code := e.run("up")
	if code != 1 || !strings.Contains(errs, fmt.Sprintf("port %d, which container.new is to have, is held by container.old", port)) || !strings.Contains(errs, "up --yes") {
		t.Errorf("without leave: exit code %d: %s", code, errs)
	}
	if ids := docker(t, "ps", "-aq", "--no-trunc", "--filter", label(instance)); len(ids) != 1 || ids[0] != old {
		t.Errorf("without leave there are %q, and not only %s", ids, old)
	}
	e.must("up", "--yes")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after --yes there is to do: %+v", c)
	}
}

func sleeperBlock(kind, name, version string) string {
	return `
` + kind + ` "` + name + `" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
  labels  = { version = "` + version + `" }
}
`
}
