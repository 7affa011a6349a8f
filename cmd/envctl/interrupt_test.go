package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/cli"
)

// TestInterruptedBeforeAnythingRuns is Ctrl-C while the engine is asked what there is.
func TestInterruptedBeforeAnythingRuns(t *testing.T) {
	silent, err := net.Listen("unix", filepath.Join(t.TempDir(), "engine.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // it accepts and never answers
	t.Setenv("DOCKER_HOST", "unix://"+silent.Addr().String())
	t.Setenv("ENVCTL_STATE_DIR", t.TempDir())
	dir := t.TempDir()
	spec := "environment \"x\" {}\ncontainer \"a\" { image = \"debian:trixie-slim\" }\n"
	if err := os.WriteFile(filepath.Join(dir, "env.envctl.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errs bytes.Buffer
	code := cli.Main(ctx, "0.0.0-test", []string{"plan"}, cli.IO{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: os.LookupEnv, Dir: dir})
	if code != cli.ExitInterrupted || errs.String() != "Interrupted.\n" || out.Len() > 0 {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
}
