package forward

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	dialTimeout = 10 * time.Second
	keepalive   = 5 * time.Second
	dead        = 15 * time.Second // how long nothing may be heard before a link counts as lost
)

// Main is the forward's part of envctl-node: "serve" over stdin and stdout, or "wait" until ctx ends.
func Main(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "wait":
		<-ctx.Done()
		return nil
	case len(args) == 1 && args[0] == "serve":
		return Serve(ctx, Stream(os.Stdin, os.Stdout))
	}
	return errors.New("usage: envctl-node forward serve | wait")
}

// Serve opens the connections that the other end of conn asks for until conn or ctx ends, or the other end was not
// heard for a while: an engine does not always notice that a client is gone.
func Serve(ctx context.Context, conn net.Conn) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return err
	}
	// Whoever may start programs in this container has shown the engine who he is.
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	heard := &hearing{Conn: conn}
	heard.touch()
	sc, channels, requests, err := ssh.NewServerConn(heard, config)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { ssh.DiscardRequests(requests) }) // which answers them
	wg.Go(func() { heard.watch(ctx, func() { _ = sc.Close() }) })
	stop := context.AfterFunc(ctx, func() { _ = sc.Close() })
	for nc := range channels {
		wg.Go(func() { direct(ctx, nc) })
	}
	stop()
	cancel()
	err = sc.Close()
	wg.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// directOpen is what opens a direct-tcpip channel: RFC 4254 section 7.2.
type directOpen struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

func direct(ctx context.Context, nc ssh.NewChannel) {
	var open directOpen
	if nc.ChannelType() != "direct-tcpip" || ssh.Unmarshal(nc.ExtraData(), &open) != nil {
		_ = nc.Reject(ssh.UnknownChannelType, "only direct-tcpip is served")
		return
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(open.Host, strconv.Itoa(int(open.Port))))
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := nc.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { ssh.DiscardRequests(requests) })
	join(ctx, conn, channel)
	wg.Wait()
}

// half is a connection of which one direction can end before the other.
type half interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// join copies both ways until both directions have ended, and passes the end of each on.
func join(ctx context.Context, a, b io.ReadWriteCloser) {
	end := func() { _ = a.Close(); _ = b.Close() }
	defer end()
	defer context.AfterFunc(ctx, end)()
	one := func(to, from io.ReadWriteCloser) {
		_, err := io.Copy(to, from)
		if h, ok := to.(half); ok && err == nil {
			err = h.CloseWrite()
		}
		if err != nil {
			end()
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { one(a, b) })
	one(b, a)
	wg.Wait()
}

// reset ends a connection so that the other end sees a refusal, not an empty answer.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

var errSilent = fmt.Errorf("nothing was heard for %s", dead)
