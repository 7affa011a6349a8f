// Package windows makes Windows machines true: it brings envctl's helper to a machine, hands it the stack
// of layers and passes on what the helper reports. What a layer does is the helper's; how the helper is
// reached over WinRM is the packages' below; the sandbox and the gateway are containers, and not made here.
package windows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

// Options is what a Provider works with.
type Options struct {
	// Helper gives the guest helper, gzipped, and the SHA-256 of the executable in it, lower-case hex. It is
	// asked when a machine is first reached.
	Helper func() (gz []byte, sha256 string, err error)
	// Fetch gives the path on the host of the file with a sha256, from a URL where it is not there yet.
	Fetch func(ctx context.Context, url, sha256 string, progress func(current, total int64)) (path string, err error)
	// Log gets what is worth reading afterwards; nil means nobody. It never gets a secret.
	Log *slog.Logger
}

// Provider is the provider of windows resources. The bodies it is given are *envspec.Machine with Address and WinRM
// filled in as the host reaches the machine, sandboxes too.
type Provider struct {
	pool         *pool
	fetch        func(ctx context.Context, url, sha256 string, progress func(current, total int64)) (string, error)
	observeLimit time.Duration
	rebootLimit  time.Duration // for a machine to come back

	mu       sync.Mutex
	machines map[addr.Addr]*envspec.Machine // as they were last observed or applied, for Remove and Exec
}

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Execer   = (*Provider)(nil)
)

// rebootLimit is how long a machine may take to come back: updates are installed on the way.
const rebootLimit = 15 * time.Minute

func newProvider(dial dialer) *Provider {
	return &Provider{
		pool:         &pool{dial: dial, by: map[string]*slot{}},
		observeLimit: observeLimit, rebootLimit: rebootLimit,
		machines: map[addr.Addr]*envspec.Machine{},
	}
}

// Name is "windows".
func (p *Provider) Name() string { return "windows" }

// Close ends the connections. Machines stay as they are.
func (p *Provider) Close() error { return p.pool.close() }

func (p *Provider) know(m *envspec.Machine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.machines[m.Addr] = m
}

func (p *Provider) known(a addr.Addr) (*envspec.Machine, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.machines[a]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("how to reach %s is not known: bring back its windows block, or name its endpoint", a)
}

func (p *Provider) body(c providers.Change) (*envspec.Machine, error) {
	m, ok := c.Node.Body.(*envspec.Machine)
	if !ok {
		return nil, fmt.Errorf("%s: the body is a %T, not a machine", c.Node.Addr, c.Node.Body)
	}
	p.know(m)
	return m, nil
}

// Prepare sees that the files which the layers bring in are there, and fetches those that are elsewhere, before
// anything is touched.
func (p *Provider) Prepare(ctx context.Context, c providers.Change, report event.Sink) error {
	var errs []error
	for _, l := range c.Node.Layers[max(c.Keep, 0):] {
		src := l.Source()
		if src == nil {
			continue
		}
		path, err := p.local(ctx, l.ID(), src, report)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l.ID(), err))
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", l.ID(), err))
		case src.Size != 0 && info.Size() != src.Size:
			errs = append(errs, fmt.Errorf("%s: %s changed since the plan was made; run again", l.ID(), src.Path))
		}
	}
	return errors.Join(append(errs, context.Cause(ctx))...)
}

// local gives the path of a layer's file on this computer.
func (p *Provider) local(ctx context.Context, layer string, src *guestproto.Source, report event.Sink) (string, error) {
	if src.URL == "" {
		return src.Path, nil
	}
	return p.fetch(ctx, src.URL, src.SHA256, func(current, total int64) {
		report(event.Event{Type: event.Progress, Layer: layer, Message: "fetch " + src.Name, Current: current, Total: total})
	})
}

// Remove undoes every layer, from what the machine itself recorded, and takes the helper's folder away. A sandbox
// goes with its container, and nothing in it is undone.
func (p *Provider) Remove(ctx context.Context, c providers.Change, report event.Sink) error {
	a := c.Node.Addr
	if c.Observed != nil {
		a = c.Observed.Addr
	}
	m, err := p.known(a)
	if err != nil {
		return err
	}
	if m.Sandbox {
		return nil
	}
	conn, err := p.pool.get(ctx, m, false, report)
	if errors.Is(err, errNoHelper) {
		return nil // nothing of ours is there
	}
	if err != nil {
		return err
	}
	if seen, err := conn.observe(ctx); err != nil {
		return err
	} else if seen.Manifest != nil && !owns(c.Instance, seen.Manifest.Owner) {
		return nil // it is somebody else's by now
	}
	r := run{Provider: p, machine: m, owner: owner(c.Instance), report: report, forget: true}
	if err := r.to(ctx, nil, 0); err != nil {
		return err
	}
	p.pool.drop(m) // the helper, whose folder has gone, ends with it
	return nil
}

// Exec runs a command line inside the machine. Without a command it is the machine's shell, cmd.exe.
func (p *Provider) Exec(ctx context.Context, o providers.Observed, opts providers.ExecOptions) (int, error) {
	m, err := p.known(o.Addr)
	if err != nil {
		return 0, err
	}
	if opts.User != "" {
		return 0, fmt.Errorf("%s: commands run as %s; another user cannot be named", o.Addr, m.WinRM.User)
	}
	conn, err := p.pool.get(ctx, m, true, func(event.Event) {})
	if err != nil {
		return 0, err
	}
	return conn.exec(ctx, opts)
}

// check asks the helper once whether something in the machine is ready.
func (c *conn) check(ctx context.Context, req guestproto.CheckRequest) (guestproto.CheckResult, error) {
	var r guestproto.CheckResult
	err := c.ask(ctx, guestproto.CommandCheck, req, answer(&r))
	return r, err
}
