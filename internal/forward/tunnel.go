package forward

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	channelType = "tunnel@envctl"
	saidAll     = "all@envctl" // sent before the end of the data
)

// target is what opens a tunnel, as in direct-tcpip (RFC 4254 section 7.2) without who asks.
type target struct {
	Host string
	Port uint32
}

var errBrokeOff = errors.New("the other end broke off, or the link to it did")

// tunnel is one connection through a link. SSH ends a channel's data in the same way when the other end has said all,
// when it broke off and when the link is lost. So whoever has said all says that too, and any other end is an error:
// nobody takes half an answer for a whole one.
type tunnel struct {
	ssh.Channel
	all  chan struct{} // closed when the other end says that this was all
	over chan struct{} // closed when nothing comes any more
}

func newTunnel(c ssh.Channel) *tunnel {
	return &tunnel{Channel: c, all: make(chan struct{}), over: make(chan struct{})}
}

// hear takes what the other end says beside its data. It has to run until the channel is over.
func (t *tunnel) hear(requests <-chan *ssh.Request) {
	defer close(t.over)
	heard := false
	for r := range requests {
		if r.Type == saidAll && !heard {
			heard = true
			close(t.all)
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

func (t *tunnel) Read(b []byte) (int, error) {
	n, err := t.Channel.Read(b)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-t.all:
		return n, err
	case <-t.over:
	}
	select {
	case <-t.all:
		return n, err
	default:
		return n, errBrokeOff
	}
}

// CloseWrite says that this was all.
func (t *tunnel) CloseWrite() error {
	if _, err := t.SendRequest(saidAll, false, nil); err != nil {
		return err
	}
	return t.Channel.CloseWrite()
}

// Close ends both directions. Where CloseWrite was not called, it is an end that the other side takes for an error.
func (t *tunnel) Close() error {
	err := t.Channel.Close()
	<-t.over
	if errors.Is(err, io.EOF) { // it was closed already
		return nil
	}
	return err
}

func (t *tunnel) LocalAddr() net.Addr              { return streamAddr{} }
func (t *tunnel) RemoteAddr() net.Addr             { return streamAddr{} }
func (t *tunnel) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (t *tunnel) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (t *tunnel) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// join copies both ways until both directions have ended, and passes the end of each on. What breaks off on one side
// breaks off on the other.
func join(ctx context.Context, c *net.TCPConn, t *tunnel) {
	breakOff := func() { reset(c); _ = t.Channel.Close() }
	defer context.AfterFunc(ctx, breakOff)()
	type end interface {
		io.ReadWriter
		CloseWrite() error
	}
	one := func(to, from end) {
		_, err := io.Copy(to, from)
		if err == nil {
			err = to.CloseWrite()
		}
		if err != nil {
			breakOff()
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { one(t, c) })
	one(c, t)
	wg.Wait()
	_ = c.Close()
	_ = t.Close()
}

// reset ends a connection so that the other end sees a refusal, not an empty answer.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
