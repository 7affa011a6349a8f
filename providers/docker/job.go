package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
)

// errTooLong is the cause with which the wait for a job ends when its time is up.
var errTooLong = errors.New("its time is up")

// job waits until a job has ended. One that runs for longer than it may is stopped.
func (w *waiter) job(parent context.Context) error {
	ctx := parent
	if limit := w.body.Timeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(parent, limit, errTooLong)
		defer cancel()
	}
	var err error
	ended, failed := w.p.api.ContainerWait(ctx, w.id, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case err = <-failed:
	}
	switch {
	case err == nil:
	case errors.Is(context.Cause(ctx), errTooLong):
		stop, cancel := context.WithTimeout(parent, orDuration(w.body.StopGrace, cleanupTime)+cleanupTime)
		defer cancel()
		err := fmt.Errorf("it ran for longer than its timeout, %s, and was stopped", w.body.Timeout)
		if left := w.p.api.ContainerStop(stop, w.id, container.StopOptions{}); left != nil {
			err = fmt.Errorf("it ran for longer than its timeout, %s, and could not be stopped: %w", w.body.Timeout, left)
		}
		return fmt.Errorf("%w%s", err, quoted("its last log lines", w.p.lastLog(parent, w.id)))
	case parent.Err() != nil:
		return context.Cause(parent)
	case isNotFound(err):
		return errors.New("the job's container is gone; somebody removed it")
	default:
		return err
	}
	is, err := w.p.api.ContainerInspect(parent, w.id)
	if err != nil {
		return err
	}
	if is.State.ExitCode != 0 || is.State.OOMKilled {
		return w.exited(parent, is.State)
	}
	return nil
}
