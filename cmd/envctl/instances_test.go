package main

import (
	"strings"
	"testing"
)

const tiny = `
environment "NAME" {}
container "app" {
  image   = "debian:trixie-slim"
  command = ["sleep", "600"]
  init    = true
}
`

// TestInstancesKeepApart has two environments under one instance's name, as on a CI machine: taking one down
// leaves the other.
func TestInstancesKeepApart(t *testing.T) {
	t.Parallel()
	a, b := newContainerEnv(t), newContainerEnv(t)
	a.vars, b.vars = append(a.vars, "ENVCTL_NAME=twin"), append(b.vars, "ENVCTL_NAME=twin")
	a.write("env.envctl.hcl", strings.Replace(tiny, "NAME", "twina", 1))
	b.write("env.envctl.hcl", strings.Replace(tiny, "NAME", "twinb", 1))
	a.must("up")
	b.must("up")
	if got := a.status().state("container.app"); got != "ready" {
		t.Errorf("container.app is %s", got)
	}

	// Its spec broken and renamed, the folder still says which is meant.
	a.write("env.envctl.hcl", `environment "other" { oops`)
	a.must("down", "--volumes")
	if got := b.status().state("container.app"); got != "ready" {
		t.Errorf("after the other's down, container.app is %s", got)
	}
	if out, errs, code := a.run("status", "--all"); code != 0 || strings.Contains(out, "twina") {
		t.Errorf("exit code %d:\n%s%s", code, out, errs)
	}
	b.must("down", "--volumes")
}
