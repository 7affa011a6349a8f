//go:build unix

package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// small is an environment with a part of every kind, made from what Debian's base image has.
const small = `
environment "faults" {}

credential "key" {
  username = "svc"
  generate { length = 20 }
}

container "echo" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      ENTRYPOINT ["perl", "-MIO::Socket::INET", "-e"]
    EOT
  }
  command = ["$s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c $ENV{GREETING}, qq(\n); close $c }"]
  env     = { GREETING = "hello from a container" }
  file "/run/secrets/key" { content = credential.key.password }
  volume "data" { target = "/data" }
  port "tcp" { guest = 7000 }
  ready {
    tcp { port = "tcp" }
  }
}

windows "box" {
  source "sandbox" {}
  env "ECHO_ADDRESS" { value = container.echo.port.tcp.address }
  registry "HKLM\\SOFTWARE\\Faults" {
    values = { Port = container.echo.port.tcp.port, Name = "faults" }
  }
  file "C:\\Faults\\key.txt" { content = credential.key.password }
  script "stamp" {
    interpreter = "cmd"
    run         = "if not exist C:\\Faults\\made mkdir C:\\Faults\\made"
    undo        = "rmdir C:\\Faults\\made"
  }
  port "any" { guest = 9000 }
}

output "echo" { value = container.echo.port.tcp.address }
`

// TestKilledAnywhere kills up where it happens to be, ten times, without a chance to clean up. What comes after
// has to make of it what a first up would have made, and to take all of it away.
func TestKilledAnywhere(t *testing.T) {
	e := newEnv(t)
	e.write("env.envctl.hcl", small)
	e.must("up") // builds the images
	e.must("down", "--volumes", "--keep-images")
	began := time.Now()
	e.must("up")
	whole := time.Since(began)
	instance := e.instance()
	e.must("down", "--volumes", "--keep-images")

	// Half of the moments are in a first up, half in one that changes what is there.
	for i := range 10 {
		if i == 5 {
			e.must("up")
		}
		if i >= 5 {
			old, new := `"faults" }`, `"faulty" }`
			if i%2 == 0 {
				old, new = new, old
			}
			e.edit("env.envctl.hcl", old, new)
		}
		after := time.Duration(rand.Int64N(int64(whole)))
		t.Logf("killing up after %s of %s", after.Round(time.Millisecond), whole.Round(time.Millisecond))
		killAfter(t, e, after)
	}
	e.must("up")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after up there is still to do: %+v", c)
	}
	for _, r := range e.status().Resources {
		if r.State != "ready" {
			t.Errorf("%s is %s: %s", r.Address, r.State, r.Detail)
		}
	}
	answer := e.must("exec", "windows.box", "--", "cmd", "/c", "echo %ECHO_ADDRESS%")
	if !strings.HasPrefix(answer, "127.0.0.1:7000") {
		t.Errorf("ECHO_ADDRESS is %q", answer)
	}
	e.must("down", "--volumes", "--keep-images")
	if rest := withoutImages(left(t, instance)); len(rest) > 0 {
		t.Errorf("left on the engine: %q", rest)
	}
	if rest := files(e.state); len(rest) > 0 {
		t.Errorf("left in the state folder: %q", rest)
	}
}

func killAfter(t *testing.T, e *env, after time.Duration) {
	t.Helper()
	cmd := e.command("up")
	// A group of its own, so that nothing that it started survives it unseen.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, or done before that
	}()
	select {
	case <-ended:
	case <-time.After(after):
	}
	_ = cmd.Process.Kill()
	<-ended
	if err := syscall.Kill(-cmd.Process.Pid, 0); err == nil {
		out, _ := exec.Command("ps", "-o", "pid,args", "--sid", "0", "-g", "0").Output()
		t.Errorf("processes of a killed up are left:\n%s", out)
	}
}

// TestInterrupted is Ctrl-C, once and twice.
func TestInterrupted(t *testing.T) {
	e := newEnv(t)
	e.write("env.envctl.hcl", `
environment "interrupted" {}
container "never" {
  image   = "debian:trixie-slim"
  command = ["sleep", "600"]
  port "tcp" { guest = 9999 }
  ready {
    tcp { port = "tcp" }
  }
}
`)
	cmd := e.command("up")
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the container runs", func() (bool, string) {
		out, _ := exec.Command("docker", "ps", "-q", "--filter", "label=dev.envctl.spec="+e.dir).Output()
		return len(out) > 0, "no container"
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_ = cmd.Wait() // its exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d:\n%s", code, errs.String())
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if !strings.Contains(errs.String(), "envctl down") {
		t.Errorf("it does not say how to go on:\n%s", errs.String())
	}
	e.must("down", "--volumes")
}
