package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/internal/lock"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// forwarding is the provider of a forward: its container on the engine, and its process on this computer.
type forwarding struct {
	*docker.Provider
	app      *app
	instance providers.Instance
	ports    []forward.Port // what it is to carry
}

// dir is the folder of the forward: an instance may be up on several engines.
func (f *forwarding) dir() forward.Dir {
	sum := sha256.Sum256([]byte(f.Host()))
	name := fmt.Sprintf("%s-%s-%x", f.instance.Environment, f.instance.ID, sum[:4])
	return forward.Dir(filepath.Join(f.app.stateDir(), "forward", name))
}

// forwardTime is how long the process may take until it carries connections.
const forwardTime = 45 * time.Second

// WaitReady has the process run, follow the ports as they are now, and reach the container.
func (f *forwarding) WaitReady(ctx context.Context, c providers.Change, report event.Sink) error {
	if err := f.Provider.WaitReady(ctx, c, report); err != nil {
		return err
	}
	dir := f.dir()
	table := forward.Table{Environment: f.instance.Environment, Instance: f.instance.ID, Ports: f.ports}
	if err := dir.WriteTable(table); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTime)
	defer cancel()
	ended := make(chan error, 1)
	if _, running := lock.Held(dir.LockPath()); !running {
		if err := f.start(dir, ended); err != nil {
			return err
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := dir.State()
		if _, running := lock.Held(dir.LockPath()); running && err == nil && s.Follows(table) {
			if len(s.Taken) > 0 {
				return fmt.Errorf("port %d of this computer, at which the engine's is to be reached, cannot be had: %s; free it or choose another with `host`", s.Taken[0].Port, s.Taken[0].Error)
			}
			if s.Up {
				return nil
			}
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the process that carries the engine's ports to this computer ended (%w): %s", err, lastLine(dir.LogPath()))
		case <-ctx.Done():
			return fmt.Errorf("the engine's ports are not carried to this computer yet: %s; its log is %s", s.Error, dir.LogPath())
		case <-tick.C:
		}
	}
}

// start runs the process, which outlives this one.
func (f *forwarding) start(dir forward.Dir, ended chan<- error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(string(dir), "state.json")) // of one before
	log, err := os.OpenFile(dir.LogPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, "forward", string(dir))
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = string(dir), log, log, detached()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the process that carries the engine's ports to this computer: %w", err)
	}
	go func() { ended <- cmd.Wait() }() // it is to outlive us, so nobody waits for this
	return nil
}

// Remove ends the process and removes the container.
func (f *forwarding) Remove(ctx context.Context, c providers.Change, report event.Sink) error {
	return errors.Join(f.end(ctx), f.Provider.Remove(ctx, c, report))
}

// end has the process end, and waits for that.
func (f *forwarding) end(ctx context.Context) error {
	dir := f.dir()
	if err := dir.RemoveTable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	held, err := lock.Acquire(ctx, dir.LockPath(), "down", nil)
	if err != nil {
		h, _ := lock.Held(dir.LockPath())
		return fmt.Errorf("the process that carries the engine's ports to this computer does not end (%s): %w", h, err)
	}
	err = errors.Join(held.Release(), os.RemoveAll(string(dir)))
	_ = os.Remove(filepath.Dir(string(dir))) // goes with the last in it
	return err
}

// look says how the process is.
func (f *forwarding) look() (providers.State, string) {
	dir := f.dir()
	s, err := dir.State()
	_, running := lock.Held(dir.LockPath())
	switch {
	case !running || err != nil:
		return providers.Failed, "no process carries its ports to this computer; \"envctl up\" starts one"
	case len(s.Taken) > 0:
		return providers.Failed, fmt.Sprintf("port %d of this computer cannot be had: %s", s.Taken[0].Port, s.Taken[0].Error)
	case !s.Up:
		return providers.Starting, "connecting: " + s.Error
	}
	return providers.Ready, fmt.Sprintf("pid %d carries its ports to this computer", s.PID)
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
