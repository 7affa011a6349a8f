package winrm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// maxIdleLinks is how many connections wait for their next use.
const maxIdleLinks = 2

// Client talks to one machine. Its connections are made when they are first needed and kept: a
// command takes one to wait for output and, from the first write on, one for its stdin. It is safe
// for concurrent use.
type Client struct {
	cfg Config
	// answers is the limit that we set on answers, in bytes.
	answers atomic.Int64
	// envelope is the machine's limit on our messages, in bytes, once it was asked for; else 0.
	envelope atomic.Int64

	mu     sync.Mutex
	idle   []*link
	closed bool
	ctx    context.Context // ends with Close
	end    context.CancelCauseFunc
	tasks  sync.WaitGroup // commands, and cleaning up that outlives its caller
}

// New checks cfg. Nothing is sent yet: Identify is the cheapest way to see whether it works.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	if n := cfg.Notice(); n != "" {
		cfg.Log.Warn(n)
	}
	c := &Client{cfg: cfg}
	c.answers.Store(largeEnvelope)
	c.ctx, c.end = context.WithCancelCause(context.Background())
	return c, nil
}

// URL is where the machine listens.
func (c *Client) URL() string { return c.cfg.URL() }

// Close ends the client's commands, waits until what they left on the machine is cleaned up (at the
// most about Config.CleanupTimeout) and drops the connections.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end(ErrClosed)
	c.tasks.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.idle {
		l.drop()
	}
	c.idle = nil
	return nil
}

// spawn runs f in a goroutine that Close waits for, unless the client is closed already.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.tasks.Go(f)
	return true
}

func (c *Client) take() *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.idle); n > 0 {
		l := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return l
	}
	return &link{cfg: c.cfg}
}

func (c *Client) give(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.conn == nil {
		return
	}
	if len(c.idle) >= maxIdleLinks || c.ctx.Err() != nil && len(c.idle) > 0 {
		l.drop()
		return
	}
	c.idle = append(c.idle, l)
}

// Identify asks the machine who it is, as the user, so it also tells whether the credential is right.
func (c *Client) Identify(ctx context.Context) (Identity, error) {
	a, err := c.call(ctx, "Identify", identifyRequest(), c.cfg.OperationTimeout)
	if err != nil {
		return Identity{}, err
	}
	return a.identity, nil
}

func (c *Client) options(action, resource, shell string) requestOptions {
	return requestOptions{
		to: c.cfg.URL(), action: action, resource: resource, shell: shell,
		timeout: c.cfg.OperationTimeout, envelope: int(c.answers.Load()),
	}
}

// call makes one exchange on a connection that is free.
func (c *Client) call(ctx context.Context, action string, body []byte, timeout time.Duration) (*answer, error) {
	l := c.take()
	defer c.give(l)
	return c.callOn(ctx, l, action, body, timeout)
}

// callOn makes one exchange. What the machine answers is an error unless it says that all went well.
func (c *Client) callOn(ctx context.Context, l *link, action string, body []byte, timeout time.Duration) (*answer, error) {
	res, err := l.post(ctx, body, timeout+answerGrace)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	return judge(action, res)
}

// judge looks for a fault at any status: a machine may send one with 200.
func judge(action string, res *raw) (*answer, error) {
	a, err := decode(res.body)
	switch {
	case err == nil && a.fault != nil:
		a.fault.Action = action
		return nil, a.fault
	case res.status >= 300:
		return nil, &HTTPError{Status: res.status, Action: action}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	return a, nil
}

// requestLimit is how large our messages may be, in bytes. The machine is asked once, in its own
// configuration; one that does not tell has the smallest limit that is in use (Windows 2008 R2's).
func (c *Client) requestLimit(ctx context.Context, l *link) (int, error) {
	if n := c.envelope.Load(); n > 0 {
		return int(n), nil
	}
	r := newRequest(c.options(actionGet, resourceConfig, ""))
	r.message.NewBody()
	a, err := c.callOn(ctx, l, r.action, r.bytes(), c.cfg.OperationTimeout)
	limit := smallEnvelope
	var fault *Fault
	var status *HTTPError
	switch {
	case err == nil && a.envelopeKB > 0:
		limit = max(8<<10, min(a.envelopeKB<<10, largeEnvelope))
	case err != nil && !errors.As(err, &fault) && !errors.As(err, &status) && !errors.Is(err, ErrBadAnswer):
		return 0, err
	}
	c.envelope.Store(int64(limit))
	return limit, nil
}
