//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
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

// TestInterrupted is Ctrl-C, once and twice.
func TestInterrupted(t *testing.T) {
	e := newContainerEnv(t)
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
