package windows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
)

// conn is a connection to a machine's guest helper.
type conn struct {
	client   *ssh.Client
	greeting guestproto.Greeting
	close    func() error

	lost context.Context // done when the connection is
}

// errNoHelper says that the helper is not on the machine and was not to be brought there.
var errNoHelper = errors.New("the helper is not on the machine")

// dialer connects to a machine. Without bootstrap it changes nothing there: where the helper is not at its
// path, the error is errNoHelper. Progress of an upload goes to report.
type dialer func(ctx context.Context, m *envspec.Machine, bootstrap bool, report event.Sink) (*conn, error)

// newConn watches over a client that is connected. Wait returns why once it is lost, and at the latest when
// it is closed.
func newConn(client *ssh.Client, greeting guestproto.Greeting, wait, closing func() error) *conn {
	lost, lose := context.WithCancelCause(context.Background())
	go func() {
		err := wait()
		if err == nil {
			err = io.EOF
		}
		lose(fmt.Errorf("the connection was lost: %w", err))
	}()
	return &conn{client: client, greeting: greeting, close: closing, lost: lost}
}

// pool keeps one connection a machine for as long as it lives.
type pool struct {
	dial dialer

	mu     sync.Mutex
	closed bool
	by     map[string]*slot
}

type slot struct {
	mu   sync.Mutex
	conn *conn
}

// key names a machine by its endpoint and user: after a sandbox was made anew its address in the spec is the same.
func key(m *envspec.Machine) string {
	return fmt.Sprintf("%s %s@%s:%d %s", m.Addr, m.WinRM.User, m.Address, m.WinRM.Port, m.WinRM.Fingerprint)
}

func (p *pool) slot(m *envspec.Machine) (*slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("the Windows provider is closed")
	}
	s := p.by[key(m)]
	if s == nil {
		s = &slot{}
		p.by[key(m)] = s
	}
	return s, nil
}

// get gives the machine's connection, made anew where the last was lost.
func (p *pool) get(ctx context.Context, m *envspec.Machine, bootstrap bool, report event.Sink) (*conn, error) {
	s, err := p.slot(m)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		if s.conn.lost.Err() == nil {
			return s.conn, nil
		}
		_ = s.conn.close()
		s.conn = nil
	}
	c, err := p.dial(ctx, m, bootstrap, report)
	if err != nil {
		return nil, err
	}
	s.conn = c
	return c, nil
}

// drop ends the machine's connection, if there is one.
func (p *pool) drop(m *envspec.Machine) {
	s, err := p.slot(m)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.close()
		s.conn = nil
	}
}

func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	slots := p.by
	p.by = nil
	p.mu.Unlock()
	var wg sync.WaitGroup
	errs := make(chan error, len(slots))
	for _, s := range slots {
		wg.Go(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.conn != nil {
				errs <- s.conn.close()
				s.conn = nil
			}
		})
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// ask runs one of the helper's own commands, which reads in as JSON and whose answer goes to take.
func (c *conn) ask(ctx context.Context, command string, in any, take func(io.Reader) error) error {
	request := []byte{}
	if in != nil {
		var err error
		if request, err = json.Marshal(in); err != nil {
			return err
		}
	}
	s, err := c.client.NewSession()
	if err != nil {
		return c.because(ctx, err)
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	var stderr strings.Builder
	s.Stderr = &stderr
	s.Stdin = strings.NewReader(string(request))
	out, err := s.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.Start(command); err != nil {
		return c.because(ctx, err)
	}
	takeErr := take(out)
	_, _ = io.Copy(io.Discard, out)
	// The command's own words say more than that its answer could not be read.
	if err := s.Wait(); err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" && ctx.Err() == nil {
			return errors.New(said)
		}
		if takeErr != nil && c.lost.Err() == nil && ctx.Err() == nil {
			return takeErr
		}
		return c.because(ctx, err)
	}
	return takeErr
}

// because gives the reason behind an error of the connection's: the context's end, or the connection's.
func (c *conn) because(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case c.lost.Err() != nil:
		return context.Cause(c.lost)
	}
	return err
}

// answer reads the one JSON value that a command answers with.
func answer(into any) func(io.Reader) error {
	return func(r io.Reader) error {
		if err := json.NewDecoder(r).Decode(into); err != nil {
			return fmt.Errorf("the helper's answer: %w", err)
		}
		return nil
	}
}

func (c *conn) observe(ctx context.Context) (guestproto.Observation, error) {
	var o guestproto.Observation
	err := c.ask(ctx, guestproto.CommandObserve, nil, answer(&o))
	return o, err
}
