package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// mute is a connection through which nothing comes any more once it is told to.
type mute struct {
	net.Conn
	now chan struct{}
}

func (m mute) Read(b []byte) (int, error) {
	for {
		n, err := m.Conn.Read(b)
		select {
		case <-m.now:
			if err == nil {
				continue
			}
		default:
		}
		return n, err
	}
}

// pipe is a connection of which a write waits for nobody: both ends of SSH begin with one.
func pipe() (a, b net.Conn) {
	there, back := make(chan []byte, 1000), make(chan []byte, 1000)
	closed := make(chan struct{})
	closing := sync.OnceFunc(func() { close(closed) })
	end := func(in, out chan []byte) net.Conn {
		e := &pipeEnd{in: in, out: out, closed: closed, closing: closing}
		return Stream(e, e)
	}
	return end(back, there), end(there, back)
}

type pipeEnd struct {
	in, out chan []byte
	rest    []byte
	closed  chan struct{}
	closing func()
}

func (p *pipeEnd) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		select {
		case p.rest = <-p.in:
		case <-p.closed:
			return 0, io.EOF
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pipeEnd) Write(b []byte) (int, error) {
	select {
	case p.out <- bytes.Clone(b):
		return len(b), nil
	case <-p.closed:
		return 0, io.ErrClosedPipe
	}
}

func (p *pipeEnd) Close() error { p.closing(); return nil }

// A link through which nothing comes has gone, though nobody said so: a computer that sleeps, a network that changed.
func TestSilenceIsALoss(t *testing.T) {
	for name, deaf := range map[string]func(outside, inside *net.Conn, now chan struct{}){
		"here":  func(outside, _ *net.Conn, now chan struct{}) { *outside = mute{*outside, now} },
		"there": func(_, inside *net.Conn, now chan struct{}) { *inside = mute{*inside, now} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outside, inside := pipe()
				now := make(chan struct{})
				deaf(&outside, &inside, now)
				served := make(chan error, 1)
				go func() { served <- Serve(t.Context(), inside) }()
				link, err := Connect(t.Context(), outside)
				if err != nil {
					t.Fatal(err)
				}
				defer link.Close()
				time.Sleep(10 * dead) // nothing is said but that it is still there
				select {
				case <-link.Done():
					t.Fatalf("lost while all was well: %v", link.Err())
				default:
				}
				close(now)
				began := time.Now()
				<-link.Done()
				<-served
				if took := time.Since(began); took < dead-keepalive || took > dead+2*keepalive {
					t.Errorf("noticed after %s", took)
				}
			})
		})
	}
}

func TestAnEnvironmentIsGoneAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer error
		connect := whileThere(func(context.Context) (*Link, error) { return nil, answer })
		gone := func() bool { _, err := connect(t.Context()); return errors.Is(err, ErrGone) }
		answer = ErrGone
		if gone() {
			t.Error("at once")
		}
		time.Sleep(goneTime - time.Second)
		if gone() {
			t.Error("before a minute")
		}
		answer = errors.New("the engine is away") // which says nothing of the environment
		if gone() {
			t.Error("the engine was away")
		}
		answer = ErrGone
		time.Sleep(goneTime)
		if gone() {
			t.Error("the minute goes on from before")
		}
		time.Sleep(goneTime)
		if !gone() {
			t.Error("not after a minute")
		}
	})
}
