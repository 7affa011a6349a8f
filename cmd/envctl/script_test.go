package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scenarios that need no engine, one a file; envctl in them is a process of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv(asEnvctl, "1")
			e.Setenv("ENVCTL_STATE_DIR", e.WorkDir+"/.state")
			// No engine must be needed: one that nobody answers for would be noticed.
			e.Setenv("DOCKER_HOST", "unix://"+e.WorkDir+"/no-engine.sock")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE ARGS... runs envctl and wants that exit code.
			"exits": exits,
		},
	})
}

// TestEngineScripts runs the scenarios that make something, each in an instance that its folder gives it.
func TestEngineScripts(t *testing.T) {
	needEngine(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/engine",
		Setup: func(e *testscript.Env) error {
			e.Setenv(asEnvctl, "1")
			e.Setenv("ENVCTL_STATE_DIR", e.WorkDir+"/.state")
			for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "HOME"} { // where the engine is
				e.Setenv(name, os.Getenv(name))
			}
			e.Defer(func() {
				down := exec.Command(os.Args[0], "down", "--volumes", "--keep-images")
				down.Dir, down.Env = e.WorkDir, e.Vars
				if out, err := down.CombinedOutput(); err != nil {
					t.Logf("down in %s: %v\n%s", e.WorkDir, err, out)
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(os.Args[0], args[1:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
