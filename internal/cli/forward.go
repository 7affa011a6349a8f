package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/internal/lock"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// forwardCommand is the process that `up` starts where the engine is on another computer. It follows the table in
// its folder: nobody has to find it or to end it by its number.
func (a *app) forwardCommand() *cobra.Command {
	return &cobra.Command{
		Use: "forward DIR", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Carry the ports of an environment whose engine is on another computer",
		RunE:  func(_ *cobra.Command, args []string) error { return a.runForward(forward.Dir(args[0])) },
	}
}

const (
	lookAgain = 200 * time.Millisecond // how often the table is read
	goneAfter = time.Minute            // how long the environment may be missing: `up` may be replacing it
)

func (a *app) runForward(dir forward.Dir) error {
	log := slog.New(slog.NewTextHandler(a.Err, nil))
	taking, cancel := context.WithTimeout(a.interrupts.stop, 10*time.Second)
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
	version, _ := buildVersion(a.version)
	d, err := docker.New(docker.Options{Version: version})
	if err != nil {
		return err
	}
	defer d.Close()
	ctx, end := context.WithCancel(a.interrupts.stop)
	defer end()
	f := &forward.Forwarder{Log: log, Connect: connectWhileThere(d, table), Changed: func(s forward.State) {
		s.PID = os.Getpid()
		if err := dir.WriteState(s); err != nil {
			log.Error("cannot say how it is", "error", err)
		}
	}}
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
			if errors.Is(err, forward.ErrGone) {
				return errors.Join(dir.RemoveTable(), err)
			}
			return err
		case <-tick.C:
		}
		table, err := dir.Table()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			end() // down took it away
		case err != nil:
			log.Warn("the table cannot be read", "error", err)
		default:
			f.Listen(ctx, table)
		}
	}
}

// connectWhileThere gives up when the environment has been gone for a while, as when somebody else took it down.
func connectWhileThere(d *docker.Provider, t forward.Table) func(context.Context) (*forward.Link, error) {
	var missing time.Time
	return func(ctx context.Context) (*forward.Link, error) {
		l, err := d.Forward(ctx, providers.Instance{Environment: t.Environment, ID: t.Instance})
		if !errors.Is(err, forward.ErrGone) {
			missing = time.Time{}
			return l, err
		}
		if missing.IsZero() {
			missing = time.Now()
		}
		if time.Since(missing) < goneAfter {
			return nil, fmt.Errorf("waiting for it: %v", err) //nolint:errorlint // not ErrGone yet
		}
		return nil, err
	}
}
