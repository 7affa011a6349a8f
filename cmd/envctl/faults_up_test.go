//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// upUntil runs up, calls then once it has printed a line that holds word, and gives what it said and its exit code.
func (e *env) upUntil(word string, then func(up *os.Process)) (said string, code int) {
	e.t.Helper()
	cmd := e.command("up")
	out, err := cmd.StderrPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	var all strings.Builder
	called := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&all, lines.Text())
		if !called && strings.Contains(lines.Text(), word) {
			called = true
			then(cmd.Process)
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		e.t.Fatal(err)
	}
	if !called {
		e.t.Fatalf("up never said %q:\n%s", word, all.String())
	}
	return all.String(), cmd.ProcessState.ExitCode()
}

// never is an environment whose container is never ready.
const never = `
environment "never" {}
container "never" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sleep", "600"]
  ready { exec = ["false"] }
}
`

// TestFaultPortStolen takes the port that a plan gave a container while its image is being built.
func TestFaultPortStolen(t *testing.T) {
	e := newContainerEnv(t)
	spec := `
environment "stolen" {}
container "web" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      LABEL test=%s
      RUN sleep 0.3
    EOT
  }
  init    = true
  command = ["sleep", "600"]
  port "http" { guest = 8080 }
}
output "web" { value = container.web.port.http.port }
`
	e.write("env.envctl.hcl", fmt.Sprintf(spec, "first"))
	e.must("up")
	port := e.output("web")
	e.must("down")
	e.write("env.envctl.hcl", fmt.Sprintf(spec, uniqueName(t)))
	began := time.Now()
	said, code := e.upUntil("RUN sleep", func(*os.Process) {
		thief, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = thief.Close() })
	})
	if code != 0 || !strings.Contains(said, "Port "+port+" was taken in the meantime") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	if now := e.output("web"); now == port {
		t.Errorf("it still has port %s", port)
	}
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after up there is still to do: %+v", c)
	}
	figure(t, "port stolen", "planned again; ready in %s", time.Since(began).Round(time.Millisecond))
}

// TestFaultImageMissing removes an image after it was seen to be there, and names one that is nowhere.
func TestFaultImageMissing(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close() // a registry that nobody answers for
	image := closed.Addr().String() + "/" + uniqueName(t) + ":1"
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", fmt.Sprintf(`
environment "missing" {}
container "first" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sh", "-c", "sleep 1; touch /there; exec sleep 600"]
  ready { exec = ["test", "-e", "/there"] }
}
container "second" {
  image      = %q
  init       = true
  command    = ["sleep", "600"]
  depends_on = [container.first]
}
`, image))
	says := func(said string, code int) {
		t.Helper()
		if code != 1 || !strings.Contains(said, "pulling "+image) || !strings.Contains(said, "see that this computer and its Docker engine reach "+closed.Addr().String()) {
			t.Errorf("exit code %d:\n%s", code, said)
		}
	}
	began := time.Now()
	_, errs, code := e.run("up")
	says(errs, code)
	took := time.Since(began)
	e.must("down")
	docker(t, "tag", "debian:trixie-slim", image)
	says(e.upUntil("not ready yet", func(*os.Process) { docker(t, "rmi", image) }))
	docker(t, "tag", "debian:trixie-slim", image)
	t.Cleanup(func() { docker(t, "rmi", image) })
	e.must("up")
	e.must("down")
	figure(t, "image missing", "said so after %s; up right once it is there", took.Round(time.Millisecond))
}

// TestFaultTwoUps starts a second up while the first one runs: it waits and says for whom.
func TestFaultTwoUps(t *testing.T) {
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", strings.Replace(never, `["false"]`, `["test", "-e", "/go"]`, 1))
	first := e.command("up")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	eventually(t, 30*time.Second, "the container runs", func() (bool, string) {
		ids := docker(t, "ps", "-q", "--filter", "label=dev.envctl.spec="+e.dir)
		id = strings.Join(ids, "")
		return len(ids) == 1, "no container"
	})
	said, code := e.upUntil("Waiting for another run", func(*os.Process) { docker(t, "exec", id, "touch", "/go") })
	if err := first.Wait(); err != nil || code != 0 {
		t.Errorf("the first: %v; the second: exit code %d\n%s", err, code, said)
	}
	for _, want := range []string{"envctl up", fmt.Sprint("pid ", first.Process.Pid), "@"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not name %q:\n%s", want, said)
		}
	}
	if got := container(t, e.instance(), "container.never"); !strings.HasPrefix(got, id) {
		t.Errorf("the container is now %s", got)
	}
	figure(t, "two ups at once", "the second waited for %s", strings.TrimPrefix(firstLineWith(said, "Waiting"), "Waiting for another run of envctl to end: "))
}

func firstLineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestFaultSignals ends up from outside while it waits. It says how to go on, leaves no lock, and down takes all away.
func TestFaultSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue // as under nohup, which envctl keeps to
		}
		e := newContainerEnv(t)
		e.write("env.envctl.hcl", never)
		began := time.Now()
		cmd := e.command("up")
		said, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		sent := false
		for lines := bufio.NewScanner(said); lines.Scan(); {
			fmt.Fprintln(&all, lines.Text())
			if !sent && strings.Contains(lines.Text(), "not ready yet") {
				sent, began = true, time.Now()
				_ = cmd.Process.Signal(s)
			}
		}
		_ = cmd.Wait() // its exit code is looked at below
		took := time.Since(began)
		if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(all.String(), "envctl down") || took > 10*time.Second {
			t.Errorf("%v: exit code %d after %s:\n%s", s, code, took, all.String())
		}
		e.leavesNoLock()
		figure(t, "signal", "%v: ended after %s", s, took.Round(time.Millisecond))
	}
}

func (e *env) leavesNoLock() {
	e.t.Helper()
	for _, path := range files(e.state) {
		if strings.Contains(path, ".lock") {
			e.t.Errorf("%s is left", path)
		}
	}
	e.must("down", "--volumes")
	if rest := files(e.state); len(rest) > 0 {
		e.t.Errorf("left in the state folder: %q", rest)
	}
}

// TestFaultNobodyReads closes what up writes to, as "up | head" does: it stops as it does for Ctrl-C.
func TestFaultNobodyReads(t *testing.T) {
	for _, c := range []struct{ name, spec, until string }{
		{"stderr", never, "create"},
		{"stdout of --json", never, `"begin"`},
		{"stdout", "environment \"quick\" {}\ncontainer \"app\" {\n image = \"debian:trixie-slim\"\n init = true\n command = [\"sleep\", \"600\"]\n}\noutput \"x\" { value = 1 }\n", ""},
	} {
		e := newContainerEnv(t)
		e.write("env.envctl.hcl", c.spec)
		cmd := e.command("up")
		if strings.HasSuffix(c.name, "json") {
			cmd = e.command("up", "--json")
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = w, io.Discard
		if c.name == "stderr" {
			cmd.Stdout, cmd.Stderr = nil, w
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		for lines := bufio.NewScanner(r); c.until != "" && lines.Scan() && !strings.Contains(lines.Text(), c.until); {
			continue
		}
		_ = r.Close()
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Errorf("%s: it goes on for nobody", c.name)
			_ = cmd.Process.Kill()
			<-ended
		}
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			t.Errorf("%s: killed by %v", c.name, ws.Signal())
		}
		e.leavesNoLock()
		figure(t, "nobody reads", "%s: exit code %d", c.name, cmd.ProcessState.ExitCode())
	}
}
