package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// pair is two containers, of which one needs the other, that end at once when they are told to.
const pair = `
environment "pair" {}

container "db" {
  image       = "debian:trixie-slim"
  command     = ["perl", "-MIO::Socket::INET", "-e", "$| = 1; print qq(db begins\n); $SIG{TERM} = sub { print qq(db ends\n); exit 0 }; $s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die; while (1) { $c = $s->accept or next; print $c qq(hello\n); close $c }"]
  port "tcp" { guest = 7000 }
  volume "data" { target = "/data" }
  ready {
    tcp { port = "tcp" }
  }
}

container "app" {
  image      = "debian:trixie-slim"
  command    = ["perl", "-e", "$| = 1; print qq(app begins\n); $SIG{TERM} = sub { print qq(app ends\n); exit 0 }; sleep 1 while 1"]
  depends_on = [container.db]
}
output "db" { value = container.db.port.tcp.address }
output "at-home" { value = "it's $HOME" }
`

func TestStopStartRestart(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	if _, errs, code := e.run("stop"); code != 1 || !strings.Contains(errs, "envctl up") {
		t.Errorf("stop of nothing: exit code %d: %s", code, errs)
	}
	e.must("up")
	instance := e.instance()
	db := container(t, instance, "container.db")

	_, errs, code := e.run("stop")
	if code != 0 || !inOrderIn(errs, "container.app is stopped", "container.db is stopped") {
		t.Errorf("stop: exit code %d: %s", code, errs)
	}
	for _, a := range []string{"container.db", "container.app"} {
		if is := e.status().state(a); is != "stopped" {
			t.Errorf("after stop %s is %s", a, is)
		}
	}
	_, errs, code = e.run("start")
	if code != 0 || !inOrderIn(errs, "container.db is ready", "container.app is ready") {
		t.Errorf("start: exit code %d: %s", code, errs)
	}
	if now := container(t, instance, "container.db"); now != db {
		t.Errorf("start made another container")
	}
	e.must("stop", "db")
	s := e.status()
	if s.state("container.db") != "stopped" || s.state("container.app") != "ready" {
		t.Errorf("after stop db: %+v", s)
	}
	e.must("up")
	if c := e.changes(); len(c) > 0 || container(t, instance, "container.db") != db {
		t.Errorf("up after stop leaves %+v", c)
	}

	app := started(t, instance, "container.app")
	e.must("restart", "db")
	if started(t, instance, "container.app") != app {
		t.Error("restart db restarted the app as well")
	}
	if _, errs, code := e.run("restart", "nobody"); code != 1 || !strings.Contains(errs, "container.app") {
		t.Errorf("restart of nobody: exit code %d: %s", code, errs)
	}
}

// inOrderIn reports whether the parts are in a text one after the other.
func inOrderIn(text string, parts ...string) bool {
	for _, p := range parts {
		_, after, found := strings.Cut(text, p)
		if !found {
			return false
		}
		text = after
	}
	return true
}

func started(t *testing.T, instance, address string) string {
	t.Helper()
	return docker(t, "inspect", "--format", "{{.State.StartedAt}}", container(t, instance, address))[0]
}

func TestPorts(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	e.must("up")
	var out struct {
		Format int
		Ports  []struct {
			Port, Protocol, Host, Inside string
			Guest                        int
		}
	}
	e.decode(&out, "ports", "--json")
	if out.Format != 1 || len(out.Ports) != 1 {
		t.Fatalf("ports: %+v", out)
	}
	p := out.Ports[0]
	if p.Port != "container.db.port.tcp" || p.Protocol != "tcp" || p.Inside != "db:7000" || p.Guest != 7000 || p.Host != e.output("db") {
		t.Errorf("ports: %+v", p)
	}
	lines := strings.Split(e.must("ports"), "\n")
	if want := []string{"container.db.port.tcp", p.Host, "db:7000", "7000"}; !slices.Equal(strings.Fields(lines[1]), want) {
		t.Errorf("ports: %q", lines)
	}
	e.decode(&out, "ports", "app", "--json")
	if len(out.Ports) != 0 {
		t.Errorf("ports of app: %+v", out.Ports)
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	e.must("up")
	cmd := e.command("shell", "db", "--workdir", "/data")
	cmd.Stdin = strings.NewReader("echo $BASH $PWD\nexit 7\n")
	var out bytes.Buffer
	cmd.Stdout = &out
	_ = cmd.Run() // its exit code is looked at
	if cmd.ProcessState.ExitCode() != 7 || out.String() != "/bin/bash /data\n" {
		t.Errorf("exit code %d, %q", cmd.ProcessState.ExitCode(), out.String())
	}
	// A terminal: script makes one. What is typed must not come back twice, and the size must be ours.
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script(1) of bsdutils is needed for the rest")
	}
	pty := e.command("shell", "db")
	typed := exec.Command("script", "-qec", "stty rows 31 cols 97; exec "+pty.Path+" shell db", "/dev/null")
	typed.Dir, typed.Env = pty.Dir, append(pty.Env, "TERM=dumb")
	in, err := typed.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	typed.Stdout = &screen
	if err := typed.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("stty size; exit 5\n")); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { _ = typed.Process.Kill() })
	defer kill.Stop()
	_ = typed.Wait() // its exit code is looked at
	if typed.ProcessState.ExitCode() != 5 || !strings.Contains(screen.String(), "31 97") {
		t.Errorf("exit code %d on a terminal: %q", typed.ProcessState.ExitCode(), screen.String())
	}
}
