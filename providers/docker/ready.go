package docker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

const (
	firstPause   = 10 * time.Millisecond // after the first try that failed
	longestPause = 2 * time.Second       // where the spec has no interval
	tryTime      = 5 * time.Second       // for one try, where the spec has no timeout
	readyTime    = 5 * time.Minute       // for all tries, where the spec has no start_period
)

// WaitReady returns nil once the container's check passed: that of the spec, or else the HEALTHCHECK of
// its image, or else that it runs. A container that ends meanwhile fails at once, unless its restart policy
// brings it back. A job is ready when it has ended with 0.
func (p *Provider) WaitReady(ctx context.Context, c providers.Change, report event.Sink) error {
	body, ok := c.Node.Body.(*envspec.Container)
	if !ok {
		return nil // a network is ready when it is there
	}
	if c.Action == providers.None && body.Ready == nil && c.Observed != nil && c.Observed.State == providers.Ready {
		return nil // seen to be ready, so it is not asked again
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	mask := maskOf(body)
	w := waiter{p: p, instance: c.Instance, id: containerName(c.Instance, c.Node.Addr), body: body, report: report.Masked(mask)}
	if body.Addr.Kind == addr.Job {
		return mask.Error(p.explain(p.inspected(w.job(ctx), body.Egress)))
	}
	return mask.Error(p.explain(p.inspected(w.wait(ctx), body.Egress)))
}

// errEnded is the cause with which a try is cut short when the container ends.
var errEnded = errors.New("the container ended")

// waiter waits for one container.
type waiter struct {
	p        *Provider
	instance providers.Instance
	id       string
	body     *envspec.Container
	report   event.Sink

	began   time.Time
	tries   int
	last    error // of the latest try
	blocked bool  // the container's own address cannot be reached from here
}

func (w *waiter) wait(parent context.Context) error {
	ready := w.body.Ready
	if ready == nil {
		ready = &envspec.Ready{}
	}
	limit := orDuration(ready.StartPeriod, readyTime)
	w.began = time.Now()
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	for {
		is, err := w.p.api.ContainerInspect(ctx, w.id)
		if err != nil {
			return w.ended(parent, limit, err)
		}
		if !is.State.Running && !is.State.Restarting {
			return w.exited(parent, is.State)
		}
		check := w.check(is)
		if check == nil && !is.State.Restarting {
			return nil
		}
		if check == nil {
			check = func(context.Context) error { return errors.New("it keeps restarting") }
		}
		err = w.untilEnded(ctx, *ready, check)
		if !errors.Is(err, errEnded) {
			return w.ended(parent, limit, err)
		}
		// It ended, and may be on its way back.
		if err := wait(ctx, firstPause); err != nil {
			return w.ended(parent, limit, err)
		}
	}
}

// untilEnded tries check until it passes, the tries are used up, ctx ends, or the container does.
func (w *waiter) untilEnded(parent context.Context, ready envspec.Ready, check func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	var watching sync.WaitGroup
	watched := false
	defer func() { cancel(nil); watching.Wait() }()

	began := time.Now()
	for {
		timeout := orDuration(ready.Timeout, tryTime)
		if ready.Log != nil {
			timeout = readyTime * 100 // it reads on until the line comes; ctx bounds it
		}
		try, stop := context.WithTimeout(ctx, timeout)
		err := check(try)
		stop()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			if cause := context.Cause(ctx); !errors.Is(cause, errEnded) && w.last == nil {
				w.last = err // the only try there was
			}
			return context.Cause(ctx)
		}
		w.tries++
		if w.last == nil || w.last.Error() != err.Error() {
			w.report(event.Event{Type: event.Progress, Message: "not ready yet: " + firstLine(err.Error())})
		}
		w.last = err
		if !watched { // nobody is asked to watch what is ready at once
			watched = true
			watching.Go(func() { w.watch(ctx, cancel) })
		}
		if _, ok := errors.AsType[*neverError](err); ok {
			return err
		}
		if ready.Retries > 0 && w.tries > ready.Retries && time.Since(w.began) >= time.Duration(ready.Retries)*ready.Interval {
			return fmt.Errorf("its check failed %d times", w.tries)
		}
		if err := wait(ctx, nextPause(time.Since(began), ready.Interval)); err != nil {
			return err
		}
	}
}

// nextPause keeps the tries so close that what took a while is seen to be ready after a fifth more: 80 ms at
// about 100. Interval bounds it where it is set.
func nextPause(elapsed, interval time.Duration) time.Duration {
	return min(max(elapsed/5, firstPause), orDuration(interval, longestPause))
}

// watch calls ended when the container ends, or the engine, and returns then or with ctx.
func (w *waiter) watch(ctx context.Context, ended context.CancelCauseFunc) {
	done, failed := w.p.api.ContainerWait(ctx, w.id, container.WaitConditionNotRunning)
	select {
	case <-done:
		ended(errEnded)
	case <-failed: //nolint:errcheck // ctx ended, or the connection did; whether the engine did, is asked of it
		if _, err := w.p.api.Ping(ctx); err != nil {
			ended(err)
		}
	}
}

// neverError is a check's failure that waiting does not mend.
type neverError struct{ error }

// ended says why the wait came to nothing. Nil stays nil.
func (w *waiter) ended(parent context.Context, limit time.Duration, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(parent.Err(), context.DeadlineExceeded) && w.last != nil:
		return w.last // who asked waits for less long than the check may take
	case parent.Err() != nil:
		return context.Cause(parent)
	case isNotFound(err):
		return errors.New("the container is gone; somebody removed it")
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("not ready after %s", limit)
	default:
		err = fmt.Errorf("not ready: %w", err)
	}
	if w.last != nil && !errors.Is(err, w.last) {
		err = fmt.Errorf("%w: %w", err, w.last)
	}
	if is, inspectErr := w.p.api.ContainerInspect(parent, w.id); inspectErr == nil && is.State.ExitCode != 0 {
		err = fmt.Errorf("%w (it last ended with exit code %d)", err, is.State.ExitCode)
	}
	return fmt.Errorf("%w%s", err, quoted("its last log lines", w.p.lastLog(parent, w.id)))
}

func (w *waiter) exited(ctx context.Context, state *container.State) error {
	why := ""
	switch {
	case state.OOMKilled:
		why = ", because it used more memory than it may"
	case state.Error != "":
		why = ": " + state.Error
	case state.ExitCode == 143 || state.ExitCode == 137:
		why = ", because it was stopped, by somebody or with the engine; run the command again"
	}
	if w.last != nil {
		why += "; its check had said: " + w.last.Error()
	}
	when := " before it was ready"
	if w.body.Addr.Kind == addr.Job {
		when = ""
	}
	return fmt.Errorf("it ended with exit code %d%s%s%s", state.ExitCode, when, why,
		quoted("its last log lines", w.p.lastLog(ctx, w.id)))
}
