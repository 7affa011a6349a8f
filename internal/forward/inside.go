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

	"github.com/envctl/envctl/internal/heard"
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
	client := heard.On(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	sc, channels, requests, err := ssh.NewServerConn(client, config)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { ssh.DiscardRequests(requests) }) // which answers them
	wg.Go(func() { client.Watch(ctx, dead, func() { _ = sc.Close() }) })
	for nc := range channels {
		wg.Go(func() { direct(ctx, nc) })
	}
	cancel()
	err = sc.Close()
	wg.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func direct(ctx context.Context, nc ssh.NewChannel) {
	var to target
	if nc.ChannelType() != channelType || ssh.Unmarshal(nc.ExtraData(), &to) != nil {
		_ = nc.Reject(ssh.UnknownChannelType, "only "+channelType+" is served")
		return
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := nc.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	t := newTunnel(channel)
	var wg sync.WaitGroup
	wg.Go(func() { t.hear(requests) })
	join(ctx, conn.(*net.TCPConn), t)
	wg.Wait()
}

var errSilent = fmt.Errorf("nothing was heard for %s", dead)
