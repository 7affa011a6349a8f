package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"
)

// ErrGone is what a Forwarder's connect gives where the environment is no more: it ends then.
var ErrGone = errors.New("the environment is gone")

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	connectTime  = 30 * time.Second
	waitForLink  = 15 * time.Second // a connection waits so long for a link that is on its way back
)

// Forwarder listens on 127.0.0.1 and carries connections through a link that it keeps up.
type Forwarder struct {
	// Connect makes a link. An error that wraps ErrGone ends Run.
	Connect func(context.Context) (*Link, error)
	Log     *slog.Logger
	// Changed is called with the state whenever it is another one.
	Changed func(State)

	mu        sync.Mutex
	link      *Link
	linked    chan struct{} // closed and replaced when link changes
	state     State
	listeners map[Port]net.Listener
	closed    bool
	wg        sync.WaitGroup
}

// Run keeps the link up until ctx ends or the environment is gone. It ends all listeners and connections.
func (f *Forwarder) Run(ctx context.Context) error {
	f.mu.Lock()
	f.linked = make(chan struct{})
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		f.close()
		f.wg.Wait()
	}()
	pause := firstPause
	for {
		link, err := f.connect(ctx)
		switch {
		case ctx.Err() != nil:
			if link != nil {
				_ = link.Close()
			}
			return nil
		case errors.Is(err, ErrGone):
			return err
		case err != nil:
			f.set(nil, err)
		default:
			pause = firstPause
			f.set(link, nil)
			select {
			case <-link.Done():
			case <-ctx.Done():
			}
			err := link.Err()
			f.set(nil, err)
			_ = link.Close()
			f.Log.Warn("lost, reconnecting", "reason", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

func (f *Forwarder) connect(ctx context.Context) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	return f.Connect(ctx)
}

func (f *Forwarder) set(l *Link, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.state
	f.link, f.state.Up, f.state.Error = l, l != nil, ""
	if err != nil {
		f.state.Error = err.Error()
	}
	close(f.linked)
	f.linked = make(chan struct{})
	if was.Up != f.state.Up || was.Error != f.state.Error {
		f.Log.Info("link", "up", f.state.Up, "error", f.state.Error)
		f.Changed(f.state)
	}
}

// Listen makes the ports that are listened on those of the table. Connections through others go on to their end. What
// could not be had is in the state, and tried again with the next call. Once Run has ended it does nothing.
func (f *Forwarder) Listen(ctx context.Context, t Table) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if f.listeners == nil {
		f.listeners = map[Port]net.Listener{}
	}
	want := map[Port]bool{}
	for _, p := range t.Ports {
		want[p] = true
	}
	for p, l := range f.listeners {
		if !want[p] {
			_ = l.Close()
			delete(f.listeners, p)
		}
	}
	before := f.state
	f.state.Table, f.state.Taken = t.digest(), nil
	for _, p := range t.Ports {
		if f.listeners[p] != nil {
			continue
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Listen)))
		if err != nil {
			f.state.Taken = append(f.state.Taken, Taken{p.Listen, err.Error()})
			continue
		}
		f.listeners[p] = l
		f.wg.Go(func() { f.accept(ctx, l, p) })
	}
	if before.Table != f.state.Table || fmt.Sprint(before.Taken) != fmt.Sprint(f.state.Taken) {
		f.Changed(f.state)
	}
}

func (f *Forwarder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		_ = l.Close()
	}
	f.listeners, f.closed = nil, true
}

func (f *Forwarder) accept(ctx context.Context, l net.Listener, p Port) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			f.Log.Warn("accept", "port", p.Listen, "error", err)
			select { // out of file descriptors, say
			case <-ctx.Done():
				return
			case <-time.After(firstPause):
			}
			continue
		}
		f.wg.Go(func() { f.carry(ctx, c, p) })
	}
}

func (f *Forwarder) carry(ctx context.Context, c net.Conn, p Port) {
	link, err := f.await(ctx)
	if err != nil {
		reset(c.(*net.TCPConn))
		return
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout+time.Second)
	t, err := link.dial(dialing, p.To)
	cancel()
	if err != nil {
		f.Log.Warn("connect", "port", p.Listen, "to", p.To, "error", err)
		reset(c.(*net.TCPConn))
		return
	}
	join(ctx, c.(*net.TCPConn), t)
}

// await gives the link, waiting a while for one.
func (f *Forwarder) await(ctx context.Context) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, waitForLink)
	defer cancel()
	for {
		f.mu.Lock()
		l, changed := f.link, f.linked
		f.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
