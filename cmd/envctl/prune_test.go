package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestPrune(t *testing.T) {
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	e.must("up")
	instance := e.instance()
	type output struct {
		Environments []struct {
			Environment, Instance string
			Holds                 []string
		}
		Removed bool
	}
	listed := func(o output) bool {
		for _, e := range o.Environments {
			if e.Instance == instance {
				return true
			}
		}
		return false
	}
	look := func(args ...string) (o output, stderr string, code int) {
		t.Helper()
		// From elsewhere, as its folder goes. What others left is left alone.
		cmd := e.command(append([]string{"-C", e.dir, "prune", instance, "--json"}, args...)...)
		cmd.Dir = os.TempDir()
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		_ = cmd.Run() // its exit code is looked at
		if err := json.Unmarshal(out.Bytes(), &o); err != nil {
			t.Fatalf("%v in %q: %s", err, out.String(), said.String())
		}
		return o, said.String(), cmd.ProcessState.ExitCode()
	}
	if o, _, _ := look("--no-input"); listed(o) {
		t.Errorf("what has a spec is to go: %+v", o)
	}
	if err := os.Rename(e.dir, e.dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Rename(e.dir+"-moved", e.dir); err != nil {
			t.Error(err)
		}
	}()
	o, errs, code := look("--no-input")
	if code != 1 || !listed(o) || o.Removed || !strings.Contains(errs, "--yes") {
		t.Errorf("--no-input: exit code %d, %+v, %s", code, o, errs)
	}
	if len(left(t, instance)) == 0 {
		t.Fatal("it went without leave")
	}
	o, errs, code = look("--yes", "--volumes")
	if code != 0 || !listed(o) || !o.Removed {
		t.Errorf("--yes: exit code %d, %+v, %s", code, o, errs)
	}
	if rest := withoutImages(left(t, instance)); len(rest) > 0 {
		t.Errorf("left on the engine: %q", rest)
	}
	if o, _, _ := look("--no-input", "--volumes"); listed(o) {
		t.Errorf("it is still there: %+v", o)
	}
	for _, e := range o.Environments {
		if e.Instance == instance && !slices.ContainsFunc(e.Holds, func(h string) bool { return strings.HasPrefix(h, "volume ") }) {
			t.Errorf("the volume was not named: %q", e.Holds)
		}
	}
}
