package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

func TestStatusWatch(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	e.must("up")
	cmd := e.command("status", "--watch", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	frames := json.NewDecoder(out)
	until := func(state string) {
		t.Helper()
		for {
			var s status
			if err := frames.Decode(&s); err != nil {
				t.Fatalf("no frame in which the database is %s: %v", state, err)
			}
			if s.state("container.db") == state {
				return
			}
		}
	}
	until("ready")
	e.must("stop", "db")
	until("stopped")
	e.must("up")
	until("ready")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	if _, _, code := e.run("status", "--watch", "--all"); code != 64 {
		t.Errorf("--watch --all: exit code %d", code)
	}
}
