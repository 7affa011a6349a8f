//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// kill is for upUntil.
func kill(up *os.Process) { _ = up.Kill() }

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
		name := uniqueName(t)
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
		e.upUntil("RUN sleep 60", kill)
		e.must("down", "--volumes")
		stays(t, name, all)
		took := time.Since(began)
		if _, said, _ := e.run("down"); !strings.Contains(said, "Nothing to take down") {
			t.Errorf("%s: another down has something to do: %s", builder, said)
		}

		// In the middle of a step that makes something, and of one that is quick.
		for _, word := range []string{"RUN dd", "RUN echo", "to create"} {
			e.upUntil(word, kill)
			e.must("down", "--volumes")
			stays(t, name, all)
		}

		// Images that were to stay, half made ones too, go with the next down.
		e.upUntil("RUN sleep 60", kill)
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
