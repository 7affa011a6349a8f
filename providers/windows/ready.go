package windows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// What a readiness check takes where the spec does not say.
const (
	readyWithin = 5 * time.Minute
	tryWithin   = 5 * time.Second
)

// WaitReady has the helper check inside the machine until the check passes: a relay in front accepts connections with
// nothing behind it. A machine without a check is ready once its layers are on.
func (p *Provider) WaitReady(ctx context.Context, c providers.Change, report event.Sink) error {
	m, err := p.body(c)
	if err != nil {
		return err
	}
	if m.Ready == nil {
		return nil
	}
	// What a check prints is the machine's own, and may be what a layer brought there.
	mask := maskOf(m)
	return mask.Error(p.waitReady(ctx, m, report.Masked(mask)))
}

func (p *Provider) waitReady(ctx context.Context, m *envspec.Machine, report event.Sink) error {
	req, err := checkRequest(m)
	if err != nil {
		return err
	}
	within := m.Ready.StartPeriod
	if within == 0 && m.Ready.Retries == 0 {
		within = readyWithin
	}
	if within > 0 {
		limit := fmt.Errorf("not ready within %s", within)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, within, limit)
		defer cancel()
	}
	between := pauses{each: m.Ready.Interval}
	last := ""
	for failed := 0; ; {
		detail, ready := p.tryReady(ctx, m, req, report)
		if ready {
			return nil
		}
		if detail != "" && detail != last && ctx.Err() == nil {
			last = detail
			report(event.Event{Type: event.Progress, Message: detail})
		}
		// How long it may take in all gives the tries their number, unless the spec counts them.
		if failed++; m.Ready.Retries > 0 && failed > m.Ready.Retries && within == 0 {
			return fmt.Errorf("not ready after %d tries: %s", failed, last)
		}
		if err := between.wait(ctx); err != nil {
			if last == "" {
				return err
			}
			return fmt.Errorf("%w; the last check said: %s", err, last)
		}
	}
}

// tryReady checks once. That the machine cannot be reached just now is a try that failed.
func (p *Provider) tryReady(ctx context.Context, m *envspec.Machine, req guestproto.CheckRequest, report event.Sink) (detail string, ready bool) {
	// The helper bounds the check itself; this bounds a connection that hangs.
	trying, cancel := context.WithTimeoutCause(ctx, time.Duration(req.Timeout)*time.Millisecond+30*time.Second, errors.New("the machine does not answer"))
	defer cancel()
	c, err := p.pool.get(trying, m, true, report)
	if err != nil {
		return err.Error(), false
	}
	r, err := c.check(trying, req)
	if err != nil {
		if c.lost.Err() == nil && ctx.Err() == nil && trying.Err() != nil {
			p.pool.drop(m)
		}
		return err.Error(), false
	}
	return r.Detail, r.Ready
}

// maskOf hides what a machine's layers and its account keep secret.
func maskOf(m *envspec.Machine) *secret.Masker {
	mask := &secret.Masker{}
	mask.Add(m.WinRM.Password)
	for _, l := range m.Layers {
		mask.Add(l.Texts()...)
	}
	return mask
}

func checkRequest(m *envspec.Machine) (guestproto.CheckRequest, error) {
	limit := m.Ready.Timeout
	if limit == 0 {
		limit = tryWithin
	}
	req := guestproto.CheckRequest{Timeout: int(limit.Milliseconds())}
	switch r := m.Ready; {
	case r.HTTP != nil:
		p, err := port(m, r.HTTP.Port)
		if err != nil {
			return req, err
		}
		req.HTTP = &guestproto.HTTPCheck{Port: p.Guest, Path: r.HTTP.Path, Status: r.HTTP.Status}
		if p.Scheme == "https" {
			req.HTTP.Scheme = "https"
		}
	case r.TCP != nil:
		p, err := port(m, r.TCP.Port)
		if err != nil {
			return req, err
		}
		req.TCPPort = p.Guest
	case len(r.Exec) > 0:
		req.Exec = r.Exec
	default:
		return req, fmt.Errorf("%s: a machine's readiness is checked by exec, http or tcp", m.Addr)
	}
	return req, nil
}

func port(m *envspec.Machine, name string) (envspec.Port, error) {
	for _, p := range m.Ports {
		if p.Name == name {
			return p, nil
		}
	}
	return envspec.Port{}, fmt.Errorf("%s has no port %q to check", m.Addr, name)
}
