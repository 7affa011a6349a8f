package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/nettest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(processDir); dir != "" {
		os.Exit(process(Dir(dir)))
	}
	goleak.VerifyTestMain(m)
}

// engine stands for what a forward's stream goes through: to each connection it gives an end inside.
type engine struct {
	t testing.TB
	l net.Listener

	mu    sync.Mutex
	conns []net.Conn
	err   error // with which it answers
}

func newEngine(t testing.TB) *engine {
	t.Helper()
	e := &engine{t: t, l: listen(t)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := e.l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _ = Serve(ctx, c) }) // how it ends is the test's doing
		}
	})
	t.Cleanup(func() { cancel(); e.l.Close(); wg.Wait() })
	return e
}

func (e *engine) connect(ctx context.Context) (*Link, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return nil, e.err
	}
	c, err := net.Dial("tcp", e.l.Addr().String())
	if err != nil {
		return nil, err
	}
	e.conns = append(e.conns, c)
	return Connect(ctx, c)
}

// drop ends all links, and answers with err from then on.
func (e *engine) drop(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
	for _, c := range e.conns {
		c.Close()
	}
	e.conns = nil
}

func (e *engine) answer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = nil
}

// running is a Forwarder with one port, and its states as they come.
type running struct {
	*Forwarder
	address string // of this computer's end
	states  chan State
	ended   chan error
}

func run(t testing.TB, e *engine, to string) *running {
	t.Helper()
	port := nettest.FreePort(t)
	r := &running{address: fmt.Sprintf("127.0.0.1:%d", port), states: make(chan State, 1000), ended: make(chan error, 1)}
	r.Forwarder = &Forwarder{Connect: e.connect, Log: slog.New(slog.DiscardHandler), Changed: func(s State) { r.states <- s }}
	ctx, cancel := context.WithCancel(context.Background())
	r.Listen(ctx, Table{Ports: []Port{{port, to}}})
	done := make(chan struct{})
	go func() { r.ended <- r.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	r.until(t, func(s State) bool { return s.Up })
	return r
}

// until waits for a state.
func (r *running) until(t testing.TB, ok func(State) bool) State {
	t.Helper()
	for {
		select {
		case s := <-r.states:
			if ok(s) {
				return s
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the state did not come")
		}
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve has handle speak with each connection, and gives its address.
func serve(t testing.TB, handle func(*net.TCPConn)) string { return nettest.Serve(t, handle).String() }

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// answering reads all there is and then answers.
func answering(c *net.TCPConn) {
	if all, err := io.ReadAll(c); err == nil {
		_, _ = c.Write(append([]byte("got "), all...)) // who asked sees what is missing
	}
}

// exchange says all and reads all.
func exchange(c *net.TCPConn, text string) (string, error) {
	_, err := io.WriteString(c, text)
	if err == nil {
		err = c.CloseWrite()
	}
	if err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	return string(answer), err
}

func TestEachDirectionEndsByItself(t *testing.T) {
	e := newEngine(t)
	t.Run("this end first", func(t *testing.T) {
		r := run(t, e, serve(t, answering))
		if got, err := exchange(dial(t, r.address), "all"); err != nil || got != "got all" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("the other end first", func(t *testing.T) {
		heard := make(chan string, 1)
		r := run(t, e, serve(t, func(c *net.TCPConn) {
			if _, err := io.WriteString(c, "hello"); err == nil && c.CloseWrite() == nil {
				all, err := io.ReadAll(c)
				heard <- fmt.Sprint(string(all), err)
			}
		}))
		c := dial(t, r.address)
		if all, err := io.ReadAll(c); err != nil || string(all) != "hello" {
			t.Errorf("%q, %v", all, err)
		}
		if _, err := io.WriteString(c, "and goodbye"); err != nil {
			t.Error(err)
		}
		c.Close()
		if got := <-heard; got != "and goodbye<nil>" {
			t.Errorf("the other end heard %s", got)
		}
	})
}

func TestManyConnectionsAtOnce(t *testing.T) {
	r := run(t, newEngine(t), serve(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c); _ = c.CloseWrite() }))
	var wg sync.WaitGroup
	for i := range 100 {
		c := dial(t, r.address)
		wg.Go(func() {
			text := strings.Repeat(fmt.Sprint(i, " "), 50_000) // more than every buffer on the way
			sent := make(chan error, 1)
			go func() {
				_, err := io.WriteString(c, text)
				sent <- errors.Join(err, c.CloseWrite())
			}()
			got, err := io.ReadAll(c)
			if err := errors.Join(err, <-sent); err != nil || string(got) != text {
				t.Errorf("connection %d: %d bytes of %d came back, %v", i, len(got), len(text), err)
			}
		})
	}
	wg.Wait()
}

func TestARefusalIsSeenAsOne(t *testing.T) {
	r := run(t, newEngine(t), fmt.Sprintf("127.0.0.1:%d", nettest.FreePort(t)))
	c, err := net.Dial("tcp", r.address)
	if err == nil { // else the reset came before the connection was ours
		defer c.Close()
		_, err = io.ReadAll(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("nothing listens there, and the error is %v", err)
	}
}

func TestWhatBreaksOffIsNotTakenForAnEnd(t *testing.T) {
	e := newEngine(t)
	begin := func(c *net.TCPConn) error { _, err := io.WriteString(c, "half"); return err }
	half := func(t *testing.T, c *net.TCPConn) {
		t.Helper()
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("by the other end", func(t *testing.T) {
		seen := make(chan struct{})
		r := run(t, e, serve(t, func(c *net.TCPConn) {
			if begin(c) == nil {
				<-seen
				reset(c)
			}
		}))
		c := dial(t, r.address)
		half(t, c)
		close(seen)
		if rest, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", rest, err)
		}
	})
	t.Run("by this end", func(t *testing.T) {
		seen, got := make(chan struct{}), make(chan error, 1)
		r := run(t, e, serve(t, func(c *net.TCPConn) {
			half(t, c)
			close(seen)
			_, err := io.ReadAll(c)
			got <- err
		}))
		c := dial(t, r.address)
		if err := begin(c); err != nil {
			t.Fatal(err)
		}
		<-seen
		reset(c)
		if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("by the link", func(t *testing.T) {
		got := make(chan error, 1)
		r := run(t, e, serve(t, func(c *net.TCPConn) {
			if begin(c) == nil {
				_, err := io.ReadAll(c)
				got <- err
			}
		}))
		c := dial(t, r.address)
		half(t, c)
		e.drop(nil)
		if rest, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("this end: %q, %v", rest, err)
		}
		if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the other end: %v", err)
		}
	})
}

func TestTheLinkComesBack(t *testing.T) {
	e := newEngine(t)
	r := run(t, e, serve(t, answering))
	e.drop(errors.New("the engine is away"))
	r.until(t, func(s State) bool { return !s.Up && s.Error == "the engine is away" })
	c := dial(t, r.address) // waits for it
	if _, err := io.WriteString(c, "a"); err != nil {
		t.Fatal(err)
	}
	e.answer()
	if s := r.until(t, func(s State) bool { return s.Up }); s.Error != "" {
		t.Errorf("it is up and says %q", s.Error)
	}
	if got, err := exchange(c, "ll"); err != nil || got != "got all" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestItEndsWithTheEnvironment(t *testing.T) {
	e := newEngine(t)
	r := run(t, e, serve(t, answering))
	e.drop(fmt.Errorf("no container: %w", ErrGone))
	if err := <-r.ended; !errors.Is(err, ErrGone) {
		t.Errorf("it ended with %v", err)
	}
	r.ended <- nil
	if c, err := net.Dial("tcp", r.address); err == nil {
		c.Close()
		t.Error("it listens on")
	}
	r.Listen(t.Context(), Table{Ports: []Port{{nettest.FreePort(t), "x:1"}}}) // and starts nothing any more: see goleak
}

func TestPortsFollowTheTable(t *testing.T) {
	r := run(t, newEngine(t), serve(t, answering))
	other := serve(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, "other") })
	open := dial(t, r.address)
	if _, err := io.WriteString(open, "a"); err != nil {
		t.Fatal(err)
	}
	holder := listen(t)
	port := holder.Addr().(*net.TCPAddr).Port
	table := Table{Ports: []Port{{port, other}}}
	r.Listen(t.Context(), table)
	s := r.until(t, func(s State) bool { return s.Follows(table) })
	if len(s.Taken) != 1 || s.Taken[0].Port != port {
		t.Fatalf("taken are %v", s.Taken)
	}
	if c, err := net.Dial("tcp", r.address); err == nil {
		c.Close()
		t.Error("a port that is not in the table is listened on")
	}
	holder.Close()
	r.Listen(t.Context(), table)
	if s := r.until(t, func(s State) bool { return s.Follows(table) }); len(s.Taken) > 0 {
		t.Errorf("taken are %v", s.Taken)
	}
	if got, err := io.ReadAll(dial(t, holder.Addr().String())); err != nil || string(got) != "other" {
		t.Errorf("the new port: %q, %v", got, err)
	}
	if got, err := exchange(open, "ll"); err != nil || got != "got all" {
		t.Errorf("a connection that was open: %q, %v", got, err)
	}
}

// TestServeHeedsItsContext: also while nobody speaks at the other end.
func TestServeHeedsItsContext(t *testing.T) {
	here, inside := net.Pipe()
	defer here.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, inside) }()
	cancel()
	select {
	case <-served:
	case <-time.After(20 * time.Second):
		t.Error("it goes on after its context ended")
		inside.Close()
		<-served
	}
}
