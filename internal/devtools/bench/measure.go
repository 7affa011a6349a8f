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

// pair is one thing measured on both sides.
type pair struct{ ours, theirs series }

// turns measures both sides by turns, who goes first changing with each round.
func (b *bench) turns(rounds int, ours, theirs func() (sample, error)) (pair, error) {
	var p pair
	for i := range rounds {
		if err := p.turn(i, ours, theirs); err != nil {
			return p, err
		}
	}
	return p, nil
}

// turn adds one run of each side; theirs is nil where there is no peer.
func (p *pair) turn(round int, ours, theirs func() (sample, error)) error {
	sides := []func() error{func() error { return add(&p.ours, ours) }}
	if theirs != nil {
		sides = append(sides, func() error { return add(&p.theirs, theirs) })
	}
	if round%2 == 1 {
		slices.Reverse(sides)
	}
	for _, side := range sides {
		if err := side(); err != nil {
			return err
		}
	}
	return nil
}

func add(to *series, run func() (sample, error)) error {
	s, err := run()
	*to = append(*to, s)
	return err
}

func (b *bench) head() {
	fmt.Fprintf(b.out, "%s/%s, %d processors; medians; time is wall time, CPU is user and system of the command alone\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(b.out, "%-34s %4s  %9s %9s %6s %6s  %8s %8s %6s  %8s %8s\n",
		"", "runs", "envctl", "compose", "ratio", "goal", "memory", "compose", "ratio", "CPU", "compose")
}

// row prints one comparison. A goal of 0 is none.
func (b *bench) row(what string, p pair, goal float64) {
	ours, theirs := p.ours, p.theirs
	ratio := func(of func(sample) float64) string {
		if len(theirs) == 0 || theirs.median(of) == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", ours.median(of)/theirs.median(of))
	}
	want := ""
	if goal > 0 {
		want = fmt.Sprintf("%.1f", goal)
	}
	fmt.Fprintf(b.out, "%-34s %4d  %9s %9s %6s %6s  %8s %8s %6s  %8s %8s\n", what, len(ours),
		seconds(ours.median(wall)), seconds(theirs.median(wall)), ratio(wall), want,
		megabytes(ours.median(memory)), megabytes(theirs.median(memory)), ratio(memory),
		seconds(ours.median(cpu)), seconds(theirs.median(cpu)))
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
