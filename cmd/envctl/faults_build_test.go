//go:build unix

package main

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"
)

// upKilled runs up and kills it once it has printed a line that holds word.
func (e *env) upKilled(word string) {
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
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&all, lines.Text())
		if !killed && strings.Contains(lines.Text(), word) {
			killed = true
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	if !killed {
		e.t.Fatalf("up never said %q:\n%s", word, all.String())
	}
}

// stays holds that nothing of an environment is on the engine now, and that nothing comes: an engine goes on with what
// a killed up asked of it.
func stays(t *testing.T, name string, keep func([]string) []string) {
	t.Helper()
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		if rest := keep(ofEnvironment(t, name)); len(rest) > 0 {
			t.Errorf("left on the engine: %q", rest)
			return
		}
	}
}

func all(rest []string) []string { return rest }

// TestFaultKilledBuild kills up in the middle of a build. One down takes away what there is and what is still to come.
func TestFaultKilledBuild(t *testing.T) {
	for builder, setting := range map[string]string{"BuildKit": "1", "the classic builder": "0"} {
		name := uniqueName()
		e := newContainerEnv(t, "DOCKER_BUILDKIT="+setting)
		e.write("env.envctl.hcl", fmt.Sprintf(`
environment %q {}
container "app" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      RUN echo %s
      RUN dd if=/dev/zero of=/big bs=1M count=20
      RUN sleep 60
    EOT
  }
  init    = true
  command = ["sleep", "600"]
}
`, name, name))
		began := time.Now()
		e.upKilled("RUN sleep 60")
		e.must("down", "--volumes")
		stays(t, name, all)
		took := time.Since(began)
		if _, said, _ := e.run("down"); !strings.Contains(said, "Nothing to take down") {
			t.Errorf("%s: another down has something to do: %s", builder, said)
		}

		// In the middle of a step that makes something, and of one that is quick.
		for _, word := range []string{"RUN dd", "RUN echo", "to create"} {
			e.upKilled(word)
			e.must("down", "--volumes")
			stays(t, name, all)
		}

		// Images that were to stay, half made ones too, go with the next down.
		e.upKilled("RUN sleep 60")
		e.must("down", "--keep-images")
		stays(t, name, withoutImages)
		e.must("down")
		stays(t, name, all)
		if rest := files(e.state); len(rest) > 0 {
			t.Errorf("%s: left in the state folder: %q", builder, rest)
		}
		figure(t, "build killed", "%s, 5 times: one down leaves nothing; the first, with up and a second's watch, took %s", builder, took.Round(time.Millisecond))
	}
}
