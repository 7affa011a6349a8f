package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/heard"
)

// Link is a connection to the end inside. It may be used at once by many.
type Link struct {
	client *ssh.Client
	done   chan struct{}
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	cause  error
	closed bool
}

// Connect agrees with the end inside over conn, which is the link's from then on.
func Connect(ctx context.Context, conn net.Conn) (*Link, error) {
	h := heard.On(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	// Whom it speaks to, the engine's API has made sure of: the end inside makes its key when it starts.
	config := &ssh.ClientConfig{User: "forward", HostKeyCallback: ssh.InsecureIgnoreHostKey()} //nolint:gosec // see above
	c, channels, requests, err := ssh.NewClientConn(h, "forward", config)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("the forward's other end: %w", err)
	}
	// Not of ctx, which only bounds connecting.
	alive, cancel := context.WithCancel(context.Background())
	l := &Link{client: ssh.NewClient(c, channels, requests), done: make(chan struct{}), cancel: cancel}
	l.wg.Go(func() {
		err := l.client.Wait()
		l.lose(err)
		cancel()
		close(l.done)
	})
	l.wg.Go(func() { h.Watch(alive, dead, func() { l.lose(errSilent); _ = l.client.Close() }) })
	l.wg.Go(func() { l.ask(alive) })
	return l, nil
}

// ask has the other end say something now and then.
func (l *Link) ask(ctx context.Context) {
	tick := time.NewTicker(keepalive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
				return
			}
		}
	}
}

func (l *Link) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = err
	}
}

// DialContext connects to an address of the environment's network. The connection has no deadlines, and its reads end
// with io.EOF only where the other end said that this was all.
func (l *Link) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	t, err := l.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (l *Link) dial(ctx context.Context, address string) (*tunnel, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	type opened struct {
		t   *tunnel
		err error
	}
	result := make(chan opened) // without a buffer: what nobody waits for any more is closed again
	open := func() {
		c, requests, err := l.client.OpenChannel(channelType, ssh.Marshal(target{host, uint32(port)}))
		if err != nil {
			select {
			case result <- opened{err: err}:
			case <-ctx.Done():
			}
			return
		}
		t := newTunnel(c)
		select {
		case result <- opened{t: t}:
		case <-ctx.Done():
			_ = c.Close()
		}
		t.hear(requests)
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errors.New("the link is closed")
	}
	l.wg.Go(open)
	l.mu.Unlock()
	select {
	case o := <-result:
		return o.t, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Done is closed when the link is lost.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err says why the link was lost.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Close ends the link and all that goes through it.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	err := l.client.Close()
	l.wg.Wait()
	return err
}
