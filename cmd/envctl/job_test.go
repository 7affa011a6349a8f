package main

import (
	"strings"
	"testing"
)

const migrated = `
environment "migrated" {}

container "db" {
  image   = "debian:trixie-slim"
  command = ["sleep", "600"]
  init    = true
  volume "data" { target = "/data" }
}
job "migrate" {
  image      = "debian:trixie-slim"
  command    = ["sh", "-c", "echo step one; exit 3"]
  depends_on = [container.db]
}
container "app" {
  image      = "debian:trixie-slim"
  command    = ["sleep", "600"]
  init       = true
  depends_on = [job.migrate]
}
container "admin" {
  image    = "debian:trixie-slim"
  command  = ["sleep", "600"]
  init     = true
  profiles = ["debug"]
  port "web" { guest = 80 }
}
output "admin" { value = container.admin.port.web.address }
`

// TestJobInTheGraph: what waits for a job is made when it has ended with 0, which it does once.
func TestJobInTheGraph(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", migrated)
	out, errs, code := e.run("up")
	if code != 1 || !strings.Contains(errs, "it ended with exit code 3") || !strings.Contains(errs, "step one") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if s := e.status(); s.state("job.migrate") != "failed" || s.state("container.app") != "missing" {
		t.Errorf("after a failed job: %+v", s)
	}
	if c := e.changes(); len(c) != 2 || c[1].Address != "job.migrate" && c[0].Address != "job.migrate" {
		t.Errorf("the failed job and what waits for it: %+v", c)
	}
	e.edit("env.envctl.hcl", "exit 3", "exit 0")
	e.must("up")
	instance := e.instance()
	if s := e.status(); s.state("job.migrate") != "ready" || s.state("container.app") != "ready" {
		t.Errorf("after a job that is done: %+v", s)
	}
	if text := e.must("status"); !strings.Contains(text, "done") {
		t.Errorf("status says nothing of done:\n%s", text)
	}
	done := started(t, instance, "job.migrate")
	e.must("up")
	e.must("stop")
	e.must("start")
	if started(t, instance, "job.migrate") != done || len(e.changes()) > 0 {
		t.Errorf("what is done ran again; changes %+v", e.changes())
	}
	e.edit("env.envctl.hcl", "step one", "step two")
	e.onlyChange("job.migrate", "replace")
	e.must("up")
	if text := e.must("logs", "migrate"); !strings.Contains(text, "step two") {
		t.Errorf("the job's log: %s", text)
	}
	e.must("down", "--volumes")
	if rest := left(t, instance); len(rest) > 0 {
		t.Errorf("left: %v", rest)
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", strings.ReplaceAll(migrated, "exit 3", "exit 0"))
	if out := e.must("up"); strings.Contains(out, "admin") {
		t.Errorf("an output of what is not up: %s", out)
	}
	if s := e.status(); s.state("container.admin") != "absent" {
		t.Errorf("%+v", s)
	}
	if out := e.must("up", "--profile", "debug"); !strings.Contains(out, "admin") {
		t.Errorf("no output: %s", out)
	}
	e.vars = []string{"ENVCTL_PROFILES=other,debug"}
	if s := e.status(); s.state("container.admin") != "ready" || len(e.changes()) > 0 {
		t.Errorf("%+v", s)
	}
	e.vars = nil
	if c := e.onlyChange("container.admin", "delete"); c.Cause != "up only with --profile debug" {
		t.Errorf("%+v", c)
	}
	e.must("up")
	e.edit("env.envctl.hcl", "[job.migrate]", "[job.migrate, container.admin]")
	if _, errs, code := e.run("validate"); code != 1 || !strings.Contains(errs, "up only with --profile debug") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	e.must("validate", "--profile", "debug")
}
