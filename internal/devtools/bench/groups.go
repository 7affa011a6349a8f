package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cleanupTime is for taking one environment down after the measuring was given up.
const cleanupTime = 3 * time.Minute

// downArgs leave the images alone, as Compose's down does.
var downArgs = []string{"down", "--volumes", "--keep-images"}

// composeLimit is about how many containers Compose v5 reads: it refuses a file of more than 100,000 nodes.
const composeLimit = 3000

// versions says what is compared.
func (b *bench) versions() error {
	for _, t := range []tool{b.envctl, b.compose} {
		if !t.there() {
			continue
		}
		out, err := exec.CommandContext(b.ctx, t.argv[0], append(t.argv[1:len(t.argv):len(t.argv)], "version")...).Output()
		if err != nil {
			return fmt.Errorf("%s version: %w", strings.Join(t.argv, " "), err)
		}
		first, _, _ := bytes.Cut(out, []byte("\n"))
		fmt.Fprintf(b.out, "%s\n", first)
	}
	return nil
}

// on gives a run of a tool in a folder; nil for a tool that is not there.
func (b *bench) on(t tool, dir string, args ...string) func() (sample, error) {
	if !t.there() {
		return nil
	}
	return func() (sample, error) { return t.run(b.ctx, dir, args...) }
}

func (b *bench) rounds(quick, full int) int {
	if b.full {
		return full
	}
	return quick
}

// compare measures one command on each side and prints the row; without the peer's arguments, ours alone.
func (b *bench) compare(what string, goal float64, rounds int, dir string, args, peerArgs []string) error {
	if !b.match.MatchString(what) {
		return nil
	}
	peer := b.compose
	if peerArgs == nil {
		peer = tool{}
	}
	m, err := turns(rounds, sides{b.on(b.envctl, dir, args...), b.on(peer, dir, peerArgs...)})
	if err != nil {
		return err
	}
	b.row(what, m, goal)
	return nil
}

// startup is what any command costs before it does something.
func (b *bench) startup() error {
	for _, args := range [][]string{{"version"}, {"--help"}} {
		if err := b.compare(strings.Join(args, " "), 1, b.rounds(15, 41), b.dir, args, []string{"version"}); err != nil {
			return err
		}
	}
	return nil
}

// language is reading a spec, and planning it where nothing is there yet.
func (b *bench) language() error {
	sizes := []int{10, 1000}
	if b.full {
		sizes = append(sizes, 3000, 10000)
	}
	for _, n := range sizes {
		name := fmt.Sprintf("bench-references-%d", n)
		dir, err := b.specs(name, b.references(name, n))
		if err != nil {
			return err
		}
		rounds := b.rounds(5, 9)
		if n > 1000 {
			rounds = 3
		}
		for _, command := range []string{"validate", "plan"} {
			theirs := []string{"config", "-q"}
			if n > composeLimit {
				theirs = nil
			}
			err := b.compare(fmt.Sprintf("%s, %d containers", command, n), 0.5, rounds, dir, []string{command, "--quiet"}, theirs)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// containers puts environments up and takes them down.
func (b *bench) containers() error {
	for _, n := range []int{4, 20, 60} {
		c := cycle{what: fmt.Sprintf("%d containers", n), n: n, write: b.sleepers, bare: true, rounds: b.rounds(3, 6), noops: b.rounds(7, 11), full: n > 20}
		if err := b.cycle(c); err != nil {
			return err
		}
	}
	return b.cycle(cycle{what: "21 containers in tiers", n: 21, write: b.tiers, wait: true, rounds: b.rounds(2, 4)})
}

// cycle is what is measured of one environment: ups where nothing is there, ups with nothing to do, downs.
type cycle struct {
	what          string
	n             int
	write         func(name string, n int) func(io.Writer, string)
	wait          bool // Compose too waits until all is ready
	bare          bool // the engine alone is asked for the same
	rounds, noops int
	full          bool // with -full only
}

func (b *bench) cycle(c cycle) (err error) {
	label := func(command string) string { return command + ", " + c.what }
	if !slices.ContainsFunc([]string{"up", "no-op up", "down"}, func(command string) bool { return b.match.MatchString(label(command)) }) {
		return nil
	}
	if c.full && !b.full {
		fmt.Fprintf(b.out, "%s: with -full\n", c.what)
		return nil
	}
	name := fmt.Sprintf("bench-up-%d-%d", c.n, os.Getpid())
	dir, err := b.specs(name, c.write(name, c.n))
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, b.takeDown(dir))
		if err != nil && strings.Contains(err.Error(), "active endpoints") {
			// Engine 20.10 does so now and then, whoever asks it; only its restart helps.
			fmt.Fprintf(b.out, "%s: given up, the engine lost count of what is on a network, which stays until it restarts\n", c.what)
			err = nil
		}
	}()
	composeUp := []string{"up", "-d"}
	if c.wait {
		composeUp = append(composeUp, "--wait")
	}
	var up, noop, down measured
	ups := sides{b.on(b.envctl, dir, "up"), b.on(b.compose, dir, composeUp...)}
	downs := sides{b.on(b.envctl, dir, downArgs...), b.on(b.compose, dir, "down", "--volumes")}
	if c.bare && b.engine != nil {
		bare := &bareEnvironment{engine: b.engine, name: name + "-bare", image: b.image, n: c.n}
		ups[engines], downs[engines] = bare.timed(b.ctx, bare.up), bare.timed(b.ctx, bare.down)
		defer func() { err = errors.Join(err, bare.takeDown(b.ctx)) }()
	}
	for round := range c.rounds {
		if err := up.turn(round, ups); err != nil {
			return err
		}
		if round == 0 {
			if noop, err = turns(c.noops, sides{ups[ours], ups[theirs]}); err != nil {
				return err
			}
		}
		if err := down.turn(round, downs); err != nil {
			return err
		}
	}
	if c.noops > 0 {
		b.row(label("no-op up"), noop, 0.7)
	}
	b.row(label("up"), up, 0.8)
	b.row(label("down"), down, 0.8)
	return nil
}

// takeDown leaves nothing of a folder's environments, whatever became of the measuring.
func (b *bench) takeDown(dir string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), cleanupTime)
	defer cancel()
	_, err := b.envctl.run(ctx, dir, downArgs...)
	if b.compose.there() {
		_, theirs := b.compose.run(ctx, dir, "down", "--volumes")
		err = errors.Join(err, theirs)
	}
	return err
}

// quickstart is a plan of both worlds with nothing to do. Compose has no such thing.
func (b *bench) quickstart() (err error) {
	const what = "plan, the quickstart"
	if !b.match.MatchString(what) {
		return nil
	}
	if !b.full {
		fmt.Fprintf(b.out, "%s: with -full\n", what)
		return nil
	}
	dir := filepath.Join(b.dir, "quickstart")
	if _, err := b.envctl.run(b.ctx, b.dir, "init", "quickstart", dir); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), cleanupTime)
		defer cancel()
		_, down := b.envctl.run(ctx, dir, downArgs...)
		err = errors.Join(err, down)
	}()
	if _, err := b.envctl.run(b.ctx, dir, "up"); err != nil {
		return err
	}
	for _, command := range []string{"plan", "up"} {
		m, err := turns(b.rounds(5, 11), sides{b.on(b.envctl, dir, command)})
		if err != nil {
			return err
		}
		b.row(command+", the quickstart, nothing to do", m, 0)
	}
	return nil
}
