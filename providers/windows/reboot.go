package windows

import (
	"context"
	"fmt"
	"time"

	"github.com/envctl/envctl/internal/event"
)

// The pauses between tries, while something is not there yet.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

// pauses gives pauses that grow, or steady ones where each is set.
type pauses struct{ each, next time.Duration }

// wait pauses, or returns why ctx ended.
func (p *pauses) wait(ctx context.Context) error {
	d := p.each
	if d == 0 {
		d = max(p.next, firstPause)
		p.next = min(2*d, longPause)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// restarted waits until the machine has another boot id than before: a port that went down and came up proves
// nothing. Connections that fail in between are expected.
func (r *run) restarted(ctx context.Context, before string) (*conn, error) {
	r.pool.drop(r.machine)
	limit := fmt.Errorf("%s did not come back within %s after it was restarted: look at its screen, then run again", endpoint(r.machine), r.rebootLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, r.rebootLimit, limit)
	defer cancel()
	began := time.Now()
	var p pauses
	for {
		c, err := r.pool.get(ctx, r.machine, true, r.report)
		if err == nil && c.greeting.BootID != before {
			r.report(event.Event{Type: event.Progress, Message: "the machine is back", Seconds: time.Since(began).Seconds()})
			return c, nil
		}
		if err == nil {
			r.pool.drop(r.machine) // it has not gone down yet
		}
		if end := p.wait(ctx); end != nil {
			if err != nil {
				return nil, fmt.Errorf("%w (last: %w)", end, err)
			}
			return nil, end
		}
	}
}
