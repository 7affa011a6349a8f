package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/lock"
)

const (
	lookAgain = 200 * time.Millisecond // how often the process reads its table
	lookState = 20 * time.Millisecond  // how often its state is read by who waits for it
	takeTime  = 10 * time.Second       // how long one process may wait for another's end
	startTime = 45 * time.Second       // how long it may take until it carries connections
	goneTime  = time.Minute            // how long the environment may be missing: `up` may be replacing it
)

// Process is a forward's process as those see it who start it and end it. The folder is all that they share: nobody
// has to find the process or to end it by its number.
type Process struct {
	Dir Dir
	// Command gives what is to call Follow, and outlives the process that starts it.
	Command func() (*exec.Cmd, error)
}

// Follow is what the process does: what the table says now, until the table is gone or ctx ends. Where connect says for
// a minute that the environment is gone, the table goes too and the error wraps ErrGone.
func Follow(ctx context.Context, dir Dir, connect func(context.Context, Table) (*Link, error), log *slog.Logger) error {
	taking, cancel := context.WithTimeout(ctx, takeTime)
	held, err := lock.Acquire(taking, dir.LockPath(), "forward", nil)
	cancel()
	if err != nil {
		return err
	}
	defer held.Release()
	table, err := dir.Table()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	f := &Forwarder{
		Log:     log,
		Connect: whileThere(func(ctx context.Context) (*Link, error) { return connect(ctx, table) }),
		Changed: func(s State) {
			s.PID, s.Speaks = os.Getpid(), speaks
			if err := dir.WriteState(s); err != nil {
				log.Error("cannot say how it is", "error", err)
			}
		},
	}
	log.Info("begins", "environment", table.Environment, "instance", table.Instance, "pid", os.Getpid())
	f.Listen(ctx, table)
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			log.Info("ends", "reason", err)
			if errors.Is(err, ErrGone) {
				return errors.Join(dir.RemoveTable(), err)
			}
			return err
		case <-tick.C:
		}
		now, err := dir.Table()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			end()
		case err != nil:
			log.Warn("the table cannot be read", "error", err)
		default:
			f.Listen(ctx, now)
		}
	}
}

// whileThere lets ErrGone through once it has lasted.
func whileThere(connect func(context.Context) (*Link, error)) func(context.Context) (*Link, error) {
	var missing time.Time
	return func(ctx context.Context) (*Link, error) {
		l, err := connect(ctx)
		if !errors.Is(err, ErrGone) {
			missing = time.Time{}
			return l, err
		}
		if missing.IsZero() {
			missing = time.Now()
		}
		if time.Since(missing) < goneTime {
			return nil, fmt.Errorf("waiting for it: %v", err) //nolint:errorlint // not ErrGone yet
		}
		return nil, err
	}
}

// Ensure has the process run, follow t and reach the environment.
func (p Process) Ensure(ctx context.Context, t Table) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if s, running := p.State(); running && s.PID != 0 && s.Speaks != speaks { // another envctl's
		if err := p.End(ctx); err != nil {
			return err
		}
	}
	if err := p.Dir.WriteTable(t); err != nil {
		return err
	}
	ended, started := make(chan error, 1), false
	tick := time.NewTicker(lookState)
	defer tick.Stop()
	for {
		s, running := p.State()
		if !running && !started {
			if err := p.start(ended); err != nil {
				return err
			}
			started = true
		}
		if running && s.Follows(t) {
			if len(s.Taken) > 0 {
				return fmt.Errorf("port %d of this computer, at which the engine's is to be reached, cannot be had: %s; free it or choose another with `host`", s.Taken[0].Port, s.Taken[0].Error)
			}
			if s.Up {
				return nil
			}
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the process that carries the engine's ports to this computer ended (%w): %s", err, lastLine(p.Dir.LogPath()))
		case <-ctx.Done():
			return fmt.Errorf("the engine's ports are not carried to this computer yet: %s; its log is %s", s.Error, p.Dir.LogPath())
		case <-tick.C:
		}
	}
}

// start runs the process, which outlives this one. What ended it comes by ended.
func (p Process) start(ended chan<- error) error {
	_ = os.Remove(p.Dir.statePath()) // of one before
	log, err := os.OpenFile(p.Dir.LogPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd, err := p.Command()
	if err != nil {
		return err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = string(p.Dir), log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the process that carries the engine's ports to this computer: %w", err)
	}
	go func() { ended <- cmd.Wait() }() // it is to outlive us, so nobody waits for this
	return nil
}

// End has the process end, waits for that, and removes the folder.
func (p Process) End(ctx context.Context) error {
	if err := p.Dir.RemoveTable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	held, err := lock.Acquire(ctx, p.Dir.LockPath(), "down", nil)
	if err != nil {
		h, _ := lock.Held(p.Dir.LockPath())
		return fmt.Errorf("the process that carries the engine's ports to this computer does not end (%s): %w", h, err)
	}
	err = errors.Join(held.Release(), os.RemoveAll(string(p.Dir)))
	_ = os.Remove(filepath.Dir(string(p.Dir))) // goes with the last in it
	return err
}

// Listens gives the ports of this computer that the process holds.
func (p Process) Listens() map[int]bool {
	s, running := p.State()
	table, err := p.Dir.Table()
	if !running || err != nil || !s.Follows(table) {
		return nil
	}
	ports := map[int]bool{}
	for _, port := range table.Ports {
		ports[port.Listen] = true
	}
	for _, t := range s.Taken {
		delete(ports, t.Port)
	}
	return ports
}

// State gives how the process says it is; false is that none runs, whatever one said before it died.
func (p Process) State() (State, bool) {
	if _, running := lock.Held(p.Dir.LockPath()); !running {
		return State{}, false
	}
	s, err := p.Dir.State()
	if err != nil {
		return State{}, true // it has only just begun
	}
	return s, true
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
