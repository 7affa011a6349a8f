// Package engine carries out a plan: as much at once as the order between resources allows, waiting for
// readiness where something depends on it. It takes no decisions; those are in the plan.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

// Limits says how much may go on at once. Waiting for readiness counts towards none.
type Limits struct {
	Prepare int64 // pulls and builds; 0 means 4
	Apply   int64 // creations and removals; 0 means 16
}

// Engine runs plans for one instance.
type Engine struct {
	Instance  providers.Instance
	Providers map[addr.Kind]providers.Provider
	// Bodies gives a resource's body with the values of its secrets, or nil for one that only goes away and
	// needs none for that. It is asked once for each operation.
	Bodies func(addr.Addr) any
	Sink   event.Sink
	Limits Limits
}

// Error is one resource that could not be brought to where the plan has it.
type Error struct {
	Addr addr.Addr
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Addr, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrSkipped is why an operation was not tried.
var ErrSkipped = errors.New("skipped, because something it needs failed")

// ErrNotStarted is wrapped with why the run was stopped before an operation had its turn.
var ErrNotStarted = errors.New("not started")

// Run carries out p and returns when nothing of it runs any more. When stop ends, nothing new is
// started, what merely prepares or waits is cancelled, and what changes something is finished; when
// now ends, that is cancelled too. The error joins an *Error for each operation that failed or was cut
// short, in the plan's order; those skipped for it are only reported as events.
func (e *Engine) Run(now, stop context.Context, p *plan.Plan) error {
	r := &run{
		Engine:  e,
		prepare: semaphore.NewWeighted(orDefault(e.Limits.Prepare, 4)),
		apply:   semaphore.NewWeighted(orDefault(e.Limits.Apply, 16)),
		done:    make(map[addr.Addr]*outcome, len(p.Operations)),
	}
	for _, op := range p.Operations {
		r.done[op.Addr] = &outcome{ended: make(chan struct{})}
	}
	var wg sync.WaitGroup
	for _, op := range p.Operations {
		wg.Go(func() {
			out := r.done[op.Addr]
			defer close(out.ended)
			out.err = r.operation(now, stop, op)
		})
	}
	wg.Wait()
	var errs []error
	for _, op := range p.Operations {
		if err := r.done[op.Addr].err; err != nil && !errors.Is(err, ErrSkipped) {
			errs = append(errs, &Error{Addr: op.Addr, Err: err})
		}
	}
	return errors.Join(errs...)
}

type run struct {
	*Engine
	prepare, apply *semaphore.Weighted
	done           map[addr.Addr]*outcome
}

// outcome is how an operation ended; err may be read once ended is closed.
type outcome struct {
	ended chan struct{}
	err   error
}

func (r *run) operation(now, stop context.Context, op plan.Operation) (err error) {
	report := r.Sink.For(op.Addr)
	began := time.Now()
	defer func() {
		took := time.Since(began).Seconds()
		switch {
		case err == nil:
			report(event.Event{Type: event.Done, Action: string(op.Action), Seconds: took})
		case errors.Is(err, ErrSkipped) || errors.Is(err, ErrNotStarted):
			report(event.Event{Type: event.Skipped, Action: string(op.Action), Message: err.Error()})
		default:
			report(event.Event{Type: event.Failed, Action: string(op.Action), Error: err.Error(), Seconds: took})
		}
	}()
	p, ok := r.Providers[op.Addr.Kind]
	if !ok {
		return fmt.Errorf("no provider makes a %s", op.Addr.Kind)
	}
	change := providers.Change{Action: op.Action, Instance: r.Instance, Node: op.Node, Observed: op.Observed, Keep: op.Keep}
	change.Node.Addr, change.Node.Body = op.Addr, r.Bodies(op.Addr)

	// An image is built while what its container waits for is still starting.
	prepared := make(chan error, 1)
	preparing, giveUp := context.WithCancel(stop)
	defer giveUp()
	if changes(op.Action) {
		go func() {
			prepared <- r.limited(preparing, r.prepare, func() error { return p.Prepare(preparing, change, report) })
		}()
	} else {
		prepared <- nil
	}
	blocked := r.wait(stop, op)
	if blocked != nil {
		giveUp()
	}
	if err := cmp.Or(blocked, <-prepared); err != nil {
		return err
	}
	began = time.Now()
	if op.Action != providers.None {
		report(event.Event{Type: event.Begin, Action: string(op.Action), Message: op.Cause})
	}
	switch op.Action {
	case providers.Delete:
		return r.limited(stop, r.apply, func() error { return p.Remove(now, change, report) })
	case providers.None:
	default:
		if err := r.limited(stop, r.apply, func() error { return p.Apply(now, change, report) }); err != nil {
			return err
		}
	}
	if err := stop.Err(); err != nil {
		return context.Cause(stop)
	}
	report(event.Event{Type: event.Waiting})
	return p.WaitReady(stop, change, report)
}

func changes(a providers.Action) bool {
	return a == providers.Create || a == providers.Replace || a == providers.Update
}

// wait returns when all that op waits for is done.
func (r *run) wait(stop context.Context, op plan.Operation) error {
	failed := false
	for _, a := range op.After {
		before, ok := r.done[a]
		if !ok {
			return fmt.Errorf("%s waits for %s, which is not in the plan", op.Addr, a)
		}
		// Everything that runs ends when stop does, so this wait is bounded by it.
		<-before.ended
		failed = failed || before.err != nil
	}
	if stop.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNotStarted, context.Cause(stop))
	}
	if failed {
		return ErrSkipped
	}
	return nil
}

func (r *run) limited(ctx context.Context, sem *semaphore.Weighted, f func() error) error {
	if err := sem.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer sem.Release(1)
	return f()
}

func orDefault(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return n
}
