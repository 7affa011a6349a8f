package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// tool is a program that is measured; one without argv is not there.
type tool struct {
	name string
	argv []string
	env  []string
}

// there reports whether the tool can be run.
func (t tool) there() bool { return len(t.argv) > 0 }

// sample is what one run of a command took.
type sample struct {
	wall time.Duration
	cpu  time.Duration // user and system, of the process and its children
	peak int64         // bytes of memory at most
}

// run gives what the command took, or an error with what it wrote. The command is a group of its own, so
// that Ctrl-C at the terminal ends the measuring and not what cleans up.
func (t tool) run(ctx context.Context, dir string, args ...string) (sample, error) {
	argv := append(slices.Clone(t.argv), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), t.env...)
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(began)}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, said.Bytes())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.peak = peak(cmd.ProcessState)
	return s, nil
}

// bench is one run of all that is measured.
type bench struct {
	ctx             context.Context
	dir             string // for the specs; removed at the end
	image           string
	full            bool
	match           *regexp.Regexp
	out             io.Writer
	envctl, compose tool
	engine          *engine // nil where its socket is not reached
}

// series are the runs of one command.
type series []sample

func (s series) median(of func(sample) float64) float64 {
	if len(s) == 0 {
		return 0
	}
	values := make([]float64, len(s))
	for i, one := range s {
		values[i] = of(one)
	}
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 1 {
		return values[mid]
	}
	return (values[mid-1] + values[mid]) / 2
}

func wall(s sample) float64   { return s.wall.Seconds() }
func cpu(s sample) float64    { return s.cpu.Seconds() }
func memory(s sample) float64 { return float64(s.peak) }

// measured is one thing on each side, in the order of sides.
type measured [3]series

// sides are what is measured by turns: envctl, Compose, and the engine alone; nil for one that is not there.
type sides [3]func() (sample, error)

const (
	ours = iota
	theirs
	engines
)

// turns measures the sides by turns, who goes first changing with each round.
func turns(rounds int, s sides) (measured, error) {
	var m measured
	for i := range rounds {
		if err := m.turn(i, s); err != nil {
			return m, err
		}
	}
	return m, nil
}

// turn adds one run of each side.
func (m *measured) turn(round int, s sides) error {
	var there []int
	for i, side := range s {
		if side != nil {
			there = append(there, i)
		}
	}
	for i := range there {
		i = there[(i+round)%len(there)]
		one, err := s[i]()
		m[i] = append(m[i], one)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) head() {
	fmt.Fprintf(b.out, "%s/%s, %d processors; medians; time is wall time, CPU is user and system of the command alone;\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprint(b.out, "engine is the same containers asked of the engine by bare requests: what no client can go below\n\n")
	fmt.Fprintf(b.out, "%-34s %4s  %9s %9s %6s %6s %9s %6s  %8s %8s %6s  %8s %8s\n",
		"", "runs", "envctl", "compose", "ratio", "goal", "engine", "ratio", "memory", "compose", "ratio", "CPU", "compose")
}

// row prints one comparison. A goal of 0 is none.
func (b *bench) row(what string, m measured, goal float64) {
	ratio := func(side int, of func(sample) float64) string {
		if m[side].median(of) == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", m[ours].median(of)/m[side].median(of))
	}
	want := ""
	if goal > 0 {
		want = fmt.Sprintf("%.1f", goal)
	}
	fmt.Fprintf(b.out, "%-34s %4d  %9s %9s %6s %6s %9s %6s  %8s %8s %6s  %8s %8s\n", what, len(m[ours]),
		seconds(m[ours].median(wall)), seconds(m[theirs].median(wall)), ratio(theirs, wall), want,
		seconds(m[engines].median(wall)), ratio(engines, wall),
		megabytes(m[ours].median(memory)), megabytes(m[theirs].median(memory)), ratio(theirs, memory),
		seconds(m[ours].median(cpu)), seconds(m[theirs].median(cpu)))
}

func seconds(s float64) string {
	switch {
	case s == 0:
		return "-"
	case s < 1:
		return fmt.Sprintf("%.1f ms", s*1000)
	}
	return fmt.Sprintf("%.2f s", s)
}

func megabytes(n float64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MB", n/1e6)
}

// findCompose gives Compose as its users have it.
func findCompose(ctx context.Context) (tool, error) {
	t := tool{name: "compose", argv: []string{"docker", "compose"}}
	if bin := os.Getenv("COMPOSE_BIN"); bin != "" {
		t.argv = []string{bin}
	}
	if _, err := t.run(ctx, "", "version"); err != nil {
		return tool{}, errors.Join(errors.New("set COMPOSE_BIN, or install its plugin"), err)
	}
	return t, nil
}
