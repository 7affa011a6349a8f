package windows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

// Apply brings the helper to the machine if need be, uploads what the layers above Keep bring in, and has the
// helper undo and apply. Where a layer restarts the machine it waits, and goes on from what the manifest then says.
// The layers' hashes are the plan's, their contents the body's.
func (p *Provider) Apply(ctx context.Context, c providers.Change, report event.Sink) error {
	m, err := p.body(c)
	if err != nil {
		return err
	}
	if len(m.Layers) != len(c.Node.Layers) {
		return fmt.Errorf("%s has %d layers with its values and %d without: its layers must not depend on a secret", m.Addr, len(m.Layers), len(c.Node.Layers))
	}
	layers := slices.Clone(m.Layers)
	for i := range layers {
		layers[i].Hash, layers[i].Parts = c.Node.Layers[i].Hash, c.Node.Layers[i].Parts
	}
	r := run{Provider: p, machine: m, owner: owner(c.Instance), report: report}
	return r.to(ctx, layers, c.Keep)
}

// run brings one machine to a stack.
type run struct {
	*Provider
	machine *envspec.Machine
	owner   guestproto.Owner
	report  event.Sink
	forget  bool
	// doing and began are of the layer that is being worked on: "undo" or "apply", one at a time.
	doing string
	began time.Time
}

// maxRestarts bounds what one run may restart a machine: an installer that is never content must not go on for ever.
const maxRestarts = 12

func (r *run) to(ctx context.Context, layers []guestproto.Layer, keep int) error {
	c, err := r.pool.get(ctx, r.machine, true, r.report)
	if err != nil {
		return err
	}
	seen, err := c.observe(ctx)
	if err != nil {
		return err
	}
	if seen.Manifest != nil && (seen.Manifest.Owner.Environment != r.owner.Environment || seen.Manifest.Owner.Instance != r.owner.Instance) {
		return heldBy(r.machine, seen.Manifest.Owner)
	}
	if keep == providers.KeepUnknown {
		keep = keepOf(layers, seen, seen.Drifted)
	}
	for range maxRestarts {
		if err := r.upload(ctx, c, layers[keep:]); err != nil {
			return err
		}
		restarts, err := r.request(ctx, c, guestproto.ApplyRequest{Owner: r.owner, Layers: layers, Keep: keep, Forget: r.forget})
		if !restarts {
			return err
		}
		if c, err = r.restarted(ctx, seen.BootID); err != nil {
			return err
		}
		if seen, err = c.observe(ctx); err != nil {
			return err
		}
		// Right after a boot what services do is not drift yet.
		keep = keepOf(layers, seen, nil)
	}
	return fmt.Errorf("%s asked for more than %d restarts: see what its last layer does on the machine", r.machine.Addr, maxRestarts)
}

func keepOf(layers []guestproto.Layer, seen guestproto.Observation, drifted map[string]string) int {
	if seen.Manifest == nil {
		return 0
	}
	return plan.KeepOf(layers, seen.Manifest.Layers, drifted)
}

// request has the helper carry out one request, and reports whether the machine restarts in the middle of it.
func (r *run) request(ctx context.Context, c *conn, req guestproto.ApplyRequest) (restarts bool, err error) {
	ended := false
	var failure error
	err = c.ask(ctx, guestproto.CommandApply, req, func(out io.Reader) error {
		lines := json.NewDecoder(out)
		for {
			var e guestproto.Event
			if err := lines.Decode(&e); err != nil {
				if errors.Is(err, io.EOF) && (ended || restarts) {
					return nil
				}
				return fmt.Errorf("the helper stopped before it was done: %w", err)
			}
			switch e.Type {
			case "reboot":
				restarts = true
				r.report(event.Event{Type: event.Progress, Layer: e.Layer, Message: "restarting the machine"})
			case "end":
				ended = true
				if e.Error != "" {
					failure = errors.New(e.Error)
				}
			default:
				r.tell(e)
			}
		}
	})
	switch {
	case failure != nil:
		return false, failure
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case restarts:
		return true, nil // however its connection ended
	}
	return false, err
}

// tell passes on what the helper says of a layer. The helper masks what is secret.
func (r *run) tell(e guestproto.Event) {
	out := event.Event{Layer: e.Layer, Message: e.Message, Error: e.Error}
	switch e.Type {
	case "undo", "apply":
		r.doing, r.began = e.Type, time.Now()
		out.Type, out.Action = event.Begin, r.doing
	case "done":
		out.Type, out.Action, out.Seconds = event.Done, r.doing, time.Since(r.began).Seconds()
	case "failed":
		out.Type, out.Action, out.Seconds = event.Failed, r.doing, time.Since(r.began).Seconds()
	default:
		out.Type = event.Log
	}
	r.report(out)
}
