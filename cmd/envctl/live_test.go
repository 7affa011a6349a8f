//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestNothingIsAskedBeforeAnAnswer(t *testing.T) {
	dir := t.TempDir()
	spec := "environment \"x\" {}\ncontainer \"a\" { image = \"debian:trixie-slim\" }\n"
	if err := os.WriteFile(dir+"/env.envctl.hcl", []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"version":   fmt.Sprintf("envctl 0.0.0-test (%s/%s)", runtime.GOOS, runtime.GOARCH),
		"--help":    "--chdir folder",
		"validate":  "",
		"plan":      "Docker engine", // which nobody answers for
		"status":    "Docker engine",
		"up":        "Docker engine",
		"mistaken":  "Error: unknown command",
		"graph":     "container.a",
		"fmt --foo": "unknown flag",
	} {
		t.Run(args, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], strings.Fields(args)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), asEnvctl+"=1", "ENVCTL_STATE_DIR="+dir+"/state", "XDG_CONFIG_HOME="+dir+"/state", "DBUS_SESSION_BUS_ADDRESS=", "DOCKER_HOST=unix://"+dir+"/no-engine.sock")
			began := time.Now()
			s := on(t, cmd, 80, 24)
			<-s.ended
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
			s.end()
			if text := s.text(); !strings.Contains(text, want) {
				t.Errorf("no %q in:\n%s", want, text)
			}
			s.asksNothing()
		})
	}
}

// many is an environment of several containers: some are quick, one fails, one takes as long as it is let.
const many = `
environment "many" {}
container "quick" {
  for_each = toset(["a", "b", "c", "d", "e", "f"])
  image    = "debian:trixie-slim"
  init     = true
  command  = ["sleep", "600"]
}
container "bad" {
  image   = "debian:trixie-slim"
  command = ["sh", "-c", "echo it has no config >&2; exit 3"]
  ready {
    exec     = ["false"]
    interval = "1s"
  }
}
container "after" {
  image      = "debian:trixie-slim"
  init       = true
  command    = ["sleep", "600"]
  depends_on = [container.bad]
}
container "slow" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sleep", "600"]
  ready {
    exec = ["test", "-e", "/go"]
  }
}
`

// whole reports whether a frame is on the screen once, and nothing that was drawn before stands about.
func whole(text, title string) bool {
	rows := strings.Split(text, "\n")
	titles, ends := 0, 0
	for _, r := range rows {
		if r == title {
			titles++
		}
		if strings.Contains(r, " of 10 done") {
			ends++
		}
	}
	return titles == 1 && ends == 1 && strings.Contains(rows[len(rows)-1], " of 10 done")
}

func TestLiveTree(t *testing.T) {
	for _, size := range []struct{ columns, rows int }{{80, 24}, {40, 10}} {
		t.Run(fmt.Sprintf("%dx%d", size.columns, size.rows), func(t *testing.T) {
			e := newContainerEnv(t)
			e.write("env.envctl.hcl", many)
			s := on(t, e.command("up"), size.columns, size.rows)
			waits := regexp.MustCompile(`container\.?\S* +waiting`)
			settled := func(text string) bool {
				return waits.MatchString(text) && strings.Contains(text, "7 of 10 done, 2 failed") && whole(text, "up")
			}
			text := s.until("waiting for one, the others at an end", settled)
			if n := strings.Count(text, "\n") + 1; n > size.rows {
				t.Errorf("a frame of %d rows:\n%s", n, text)
			}
			if size.rows == 24 {
				for _, row := range []string{"✓ network.default", `✓ container.quick["a"]`, "✗ container.bad", "      it has no config", "- container.after"} {
					if !strings.Contains(text, row) {
						t.Errorf("no %q in:\n%s", row, text)
					}
				}
			}
			// Narrower, lower, larger, and back. No row may be left of what was there.
			for _, to := range [][2]int{{size.columns - 8, size.rows}, {size.columns, size.rows - 3}, {size.columns + 20, size.rows + 5}, {size.columns, size.rows}} {
				s.resize(to[0], to[1])
				s.until(fmt.Sprintf("right in %dx%d", to[0], to[1]), settled)
			}
			s.press("\r\n \x1b[A") // which mean nothing
			s.press("\x03")
			if code := s.end(); code != 130 {
				t.Errorf("exit code %d", code)
			}
			text = s.text()
			if size.rows == 24 && (strings.Count(text, "\nup\n") != 1 || !strings.Contains(text, "✗ container.slow        failed")) || !strings.Contains(text, "Interrupted.") {
				t.Errorf("in the end there is on the screen:\n%s", text)
			}
			s.asksNothing()
		})
	}
}

// TestCtrlCTwice presses it while a container takes its time to stop.
func TestCtrlCTwice(t *testing.T) {
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", `
environment "stubborn" {}
container "stubborn" {
  image      = "debian:trixie-slim"
  command    = ["sleep", "600"]
  stop_grace = "9s"
}
`)
	e.must("up")
	s := on(t, e.command("down"), 80, 24)
	s.shows("deleting")
	s.press("\x03")
	s.shows("Stopping: finishing what runs.")
	s.press("\x03")
	if code := s.end(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if text := s.text(); !strings.Contains(text, "cut short") && !strings.Contains(text, "interrupted") {
		t.Errorf("in the end there is on the screen:\n%s", text)
	}
	s.asksNothing()
}
