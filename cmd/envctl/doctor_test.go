//go:build unix

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

const doctored = `
environment "doctored" {}

credential "key" {
  generate { length = 20 }
}

# It goes on when what listens in it has ended.
container "db" {
  image   = "debian:trixie-slim"
  command = ["sh", "-c", "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c qq(hello\n); close $c }' & trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"]
  env     = { KEY = credential.key.password }
  port "sql" { guest = 7000 }
  ready {
    tcp { port = "sql" }
  }
}

# What it is made of has no shell; that of doctor's probe has to be its own.
container "web" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim AS base
      RUN mkdir -p /out/bin /out/lib /out/lib64 && cp /bin/sleep /out/bin/ && cp -L /lib*/*/libc.so.6 /out/lib/ 2>/dev/null; cp -L /lib64/* /out/lib64/ 2>/dev/null; true
      FROM scratch
      COPY --from=base /out/ /
    EOT
  }
  command = ["/bin/sleep", "infinity"]
  init    = true
  env     = { DB = container.db.port.sql.address }
}
`

type checks []struct {
	Name, Subject, Detail, Hint string
	OK                          bool
}

// doctor gives what doctor says, and wants its exit code to be in keeping.
func (e *env) doctor() checks {
	e.t.Helper()
	stdout, stderr, code := e.run("doctor", "--json")
	var out struct {
		Format int
		Checks checks
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil || out.Format != 1 {
		e.t.Fatalf("doctor --json: %v: %s%s", err, stdout, stderr)
	}
	want := 0
	for _, c := range out.Checks {
		if !c.OK {
			want = 1
		}
	}
	if code != want {
		e.t.Errorf("exit code %d, want %d: %s", code, want, stdout)
	}
	return out.Checks
}

// bad fails unless a check is broken with all of what its detail and hint should say.
func (e *env) bad(cs checks, name, subject string, says ...string) {
	e.t.Helper()
	for _, c := range cs {
		if c.Name != name || c.Subject != subject {
			continue
		}
		if c.OK || c.Hint == "" {
			e.t.Errorf("%s %s is well, or without a hint: %+v", name, subject, c)
		}
		for _, s := range says {
			if !strings.Contains(c.Detail+" "+c.Hint, s) {
				e.t.Errorf("%s %s does not say %q: %+v", name, subject, s, c)
			}
		}
		return
	}
	e.t.Errorf("no check %s %s: %+v", name, subject, cs)
}

func (e *env) allWell(cs checks, least int) {
	e.t.Helper()
	for _, c := range cs {
		if !c.OK || c.Hint != "" {
			e.t.Errorf("not well: %+v", c)
		}
	}
	if len(cs) < least {
		e.t.Errorf("only %d checks: %+v", len(cs), cs)
	}
}

// TestDoctor breaks a wire between containers at each of its hops, and each has to be named.
func TestDoctor(t *testing.T) {
	t.Parallel()
	const wire, endpoint = "container.web -> container.db.port.sql", "container.db.port.sql"
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", doctored)
	e.allWell(e.doctor(), 5) // before anything is up
	e.must("up")
	instance := e.instance()
	key := e.must("credentials", "--reveal", "key")
	e.seen.Reset()
	db := container(t, instance, "container.db")
	before := left(t, instance)

	e.allWell(e.doctor(), 8)
	text := e.must("doctor")
	for _, line := range []string{"Wires", "ok    " + wire, "ok    " + endpoint, "Docker engine"} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}

	docker(t, "exec", db, "sh", "-c", "kill $(grep -l 'Local[P]ort' /proc/[0-9]*/cmdline | cut -d/ -f3 | grep -v '^1$')")
	cs := e.doctor()
	e.bad(cs, "wire", wire, "nothing listens at port 7000 in container.db", "envctl restart container.db")
	e.bad(cs, "port", endpoint, "nothing listens at port 7000")
	e.bad(cs, "resource", "container.db", "envctl logs")

	docker(t, "stop", "--time", "5", db)
	cs = e.doctor()
	e.bad(cs, "wire", wire, "container.db does not run (stopped", "envctl up")
	e.bad(cs, "resource", "container.db", "stopped")

	e.must("up")
	e.allWell(e.doctor(), 8)
	docker(t, "network", "disconnect", "doctored-"+instance, db)
	cs = e.doctor()
	e.bad(cs, "wire", wire, "container.db is not on the environment's network", "docker rm -f")
	e.bad(cs, "port", endpoint, "container.db is not on the environment's network", "docker rm -f")
	docker(t, "network", "connect", "doctored-"+instance, db)
	e.allWell(e.doctor(), 8)

	if strings.Contains(e.seen.String(), strings.TrimSpace(key)) {
		t.Error("doctor says a password")
	}
	if after := left(t, instance); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("doctor left something: %q, before %q", after, before)
	}
}

// TestDoctorOfAMachineThatIsAway names the gateway's link, which is broken for what comes from the machine and
// what goes to it.
func TestDoctorOfAMachineThatIsAway(t *testing.T) {
	t.Parallel()
	const in, out = "container.user -> windows.box.port.any", "windows.box -> container.user.port.tcp"
	e := newContainerEnv(t, "BOX_USER=u", "BOX_PASSWORD=planted-away")
	e.write("env.envctl.hcl", `
environment "away" {}

credential "box" {
  env {
    username = "BOX_USER"
    password = "BOX_PASSWORD"
  }
}

container "user" {
  image   = "debian:trixie-slim"
  command = ["sleep", "infinity"]
  init    = true
  env     = { BOX = unordered(windows.box.port.any.address) }
  port "tcp" { guest = 7000 }
}

windows "box" {
  source "host" { address = "127.0.0.1" }
  winrm {
    credential  = credential.box
    port        = 1
    fingerprint = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
  port "any" { guest = 9000 }
  env "USER_ADDRESS" { value = container.user.port.tcp.address }
}
`)
	t.Cleanup(func() { e.must("down", "--volumes", "--keep-images", "--leave-machines") })
	up := e.command("up")
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = up.Wait() // it is interrupted
	}()
	t.Cleanup(func() {
		_ = up.Process.Kill()
		<-ended
	})
	var cs checks
	eventually(t, 3*time.Minute, "the gateway is up and has no link", func() (bool, string) {
		cs = e.doctor()
		for _, c := range cs {
			if c.Subject == in && strings.Contains(c.Detail, "gateway.box has no link to windows.box: connect") {
				return true, ""
			}
		}
		return false, e.seen.String()
	})
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
	e.bad(cs, "wire", out, "gateway.box has no link to windows.box", "envctl logs gateway.box")
	e.bad(cs, "port", "windows.box.port.any", "gateway.box has no link to windows.box")
	e.bad(cs, "resource", "windows.box", "unreachable", "envctl logs gateway.box")

	docker(t, "stop", container(t, e.instance(), "gateway.box"))
	cs = e.doctor()
	e.bad(cs, "wire", in, "gateway.box does not run", "envctl up")
	e.bad(cs, "wire", out, "gateway.box does not run", "envctl up")
	if strings.Contains(e.seen.String(), "planted-away") {
		t.Error("doctor says a password")
	}
}

// TestDoctorOfAMachine does so with the wires of a machine, into it and out of it.
func TestDoctorOfAMachine(t *testing.T) {
	t.Parallel()
	const in, out = "container.user -> windows.box.port.any", "windows.box -> container.echo.port.tcp"
	e := newEnv(t)
	e.write("env.envctl.hcl", small)
	e.write("user.envctl.hcl", `
container "user" {
  image   = "debian:trixie-slim"
  command = ["sleep", "infinity"]
  init    = true
  env     = { BOX = windows.box.port.any.address }
}
`)
	e.must("up")
	instance := e.instance()

	cs := e.doctor()
	e.bad(cs, "wire", in, "nothing listens at port 9000 inside windows.box")
	e.bad(cs, "port", "windows.box.port.any", "nothing listens at port 9000 inside windows.box")
	for _, c := range cs {
		if c.Name == "wire" && c.Subject == out && !c.OK {
			t.Errorf("not well: %+v", c)
		}
	}

	docker(t, "stop", container(t, instance, "container.echo"))
	e.bad(e.doctor(), "wire", out, "container.echo does not run")

	docker(t, "stop", container(t, instance, "sandbox.box"))
	eventually(t, time.Minute, "the gateway notices that its machine is away", func() (bool, string) {
		for _, c := range e.doctor() {
			if c.Subject == in && strings.Contains(c.Detail, "gateway.box has no link to windows.box") {
				return true, ""
			}
		}
		return false, e.seen.String()
	})

	docker(t, "stop", container(t, instance, "gateway.box"))
	cs = e.doctor()
	e.bad(cs, "wire", in, "gateway.box does not run")
	e.bad(cs, "wire", out, "gateway.box does not run")
}
