package windows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

// observeLimit bounds looking at one machine.
const observeLimit = 10 * time.Second

// Observe says how each machine is, in the order given. It changes nothing: a machine that has no helper of ours
// gets none. One that does not answer within ten seconds is Unreachable, which is no error; one that another
// environment holds is Failed, with a Detail that names it.
func (p *Provider) Observe(ctx context.Context, instance providers.Instance, machines []*envspec.Machine) ([]providers.Observed, error) {
	observed := make([]providers.Observed, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		p.know(m)
		wg.Go(func() { observed[i] = p.observe(ctx, instance, m) })
	}
	wg.Wait()
	return observed, ctx.Err()
}

func (p *Provider) observe(ctx context.Context, instance providers.Instance, m *envspec.Machine) providers.Observed {
	ctx, cancel := context.WithTimeoutCause(ctx, p.observeLimit, fmt.Errorf("no answer from %s within %s", endpoint(m), p.observeLimit))
	defer cancel()
	o := providers.Observed{Addr: m.Addr, After: m.After, Instance: instance, Handle: key(m)}
	c, err := p.pool.get(ctx, m, false, func(event.Event) {})
	if errors.Is(err, errNoHelper) {
		o.State, o.Detail = providers.Missing, "not set up yet"
		return o
	}
	var seen guestproto.Observation
	if err == nil {
		seen, err = c.observe(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		o.State, o.Detail = providers.Unreachable, err.Error()
		return o
	}
	switch man := seen.Manifest; {
	case man == nil:
		o.State, o.Detail = providers.Missing, "not set up yet"
	case !owns(instance, man.Owner):
		o.State, o.Detail = providers.Failed, heldBy(m, man.Owner).Error()
	default:
		o.Manifest, o.Drifted, o.Differences, o.State = man, seen.Drifted, seen.Differences, providers.Ready
		for _, l := range man.Layers {
			if !l.Complete {
				o.State, o.Detail = providers.Failed, fmt.Sprintf("%s.%s is not complete", l.Kind, l.Name)
			}
		}
	}
	return o
}

func owns(i providers.Instance, o guestproto.Owner) bool {
	return o.Environment == i.Environment && o.Instance == i.ID
}

func owner(i providers.Instance) guestproto.Owner {
	return guestproto.Owner{Environment: i.Environment, Instance: i.ID, SpecDir: i.SpecDir}
}

func heldBy(m *envspec.Machine, o guestproto.Owner) error {
	from := ""
	if o.SpecDir != "" {
		from = " from " + o.SpecDir
	}
	return fmt.Errorf("%s is held by environment %q, instance %q%s: take that one down first", endpoint(m), o.Environment, o.Instance, from)
}

// endpoint is how a person knows where a machine is.
func endpoint(m *envspec.Machine) string {
	if m.WinRM.Port == 0 {
		return m.Address
	}
	return fmt.Sprintf("%s:%d", m.Address, m.WinRM.Port)
}
