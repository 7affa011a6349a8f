//go:build unix && faults

package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clock is one that a test sets: of the programs that are built with its overlay and run with its variable.
type clock struct {
	t       *testing.T
	overlay string // the file that says what is compiled in place of what
	file    string // how far the clock is off
}

// newClock makes time.Now another: what is built with the overlay adds what the clock's file says. Nothing in Go's own
// library or in ours takes the time from elsewhere, the clock aside by which it measures how long something takes.
func newClock(t *testing.T) *clock {
	t.Helper()
	out, err := exec.Command(goCommand(), "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(lib, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const head, reads, instead = "func Now() Time {\n\tsec, nsec, mono := ", "runtimeNow()", "shiftedNow()"
	if strings.Count(string(text), head+reads) != 1 {
		t.Fatal("this Go's time.Now is not what the test knows; see how it reads the clock, and change the test")
	}
	dir := t.TempDir()
	other := filepath.Join(dir, "time.go")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), head+reads, head+instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	added, err := filepath.Abs(filepath.Join("testdata", "clock.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(lib, "time.go"): other, filepath.Join(lib, "shifted.go"): added,
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{t: t, overlay: filepath.Join(dir, "overlay.json"), file: filepath.Join(dir, "off")}
	if err := os.WriteFile(c.overlay, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	c.set(0)
	return c
}

func goCommand() string { return cmp.Or(os.Getenv("GO"), "go") }

// build makes an envctl that goes by the clock.
func (c *clock) build() string {
	c.t.Helper()
	program := filepath.Join(filepath.Dir(c.overlay), "envctl")
	build := exec.Command(goCommand(), "build", "-buildvcs=false", "-overlay", c.overlay, "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return program
}

// env is the variable under which a program finds the clock.
func (c *clock) env() string { return "ENVCTL_TEST_CLOCK=" + c.file }

// set sets the clock that far off, at once for all that run.
func (c *clock) set(off time.Duration) { c.say(int64(off / time.Second)) }

// leap lets the clock leap to and fro from now on.
func (c *clock) leap() { c.say(math.MinInt64) }

// say writes over what is there: it is mapped by whoever runs.
func (c *clock) say(seconds int64) {
	c.t.Helper()
	f, err := os.OpenFile(c.file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(seconds))) //nolint:gosec // its bits
	if err := errors.Join(err, f.Close()); err != nil {
		c.t.Fatal(err)
	}
}
