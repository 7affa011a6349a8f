package guest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/carrier"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/heard"
)

// Serve greets on stdout and answers SSH over the two pipes until they end or ctx does. When it
// returns, everything that it started has ended. The end of the pipes is not an error.
//
// There is no client authentication: whoever holds the pipes was let in by WinRM, as the account
// that the helper runs as. The host key is new in each run; the greeting, which came the same way,
// pins it.
func Serve(ctx context.Context, m *Machine, stdin io.ReadCloser, stdout io.WriteCloser, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	conn, err := carrier.Server(ctx, stdin, stdout, guestproto.Greeting{
		Version: guestproto.Version,
		HostKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))),
		BootID:  m.BootID,
		DataDir: m.Dir,
	})
	if err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	return serveSSH(ctx, m, conn, signer, log)
}

// silenceLimit is how long a client that sends keepalives may say nothing. It is longer than the client itself
// waits for an answer, so whoever is silent for so long has given this connection up already. Until it ends, the ports
// that this helper listens on would be nobody else's.
const silenceLimit = 20 * time.Second

// serveSSH is Serve after the greeting.
func serveSSH(ctx context.Context, m *Machine, conn net.Conn, key ssh.Signer, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	config := &ssh.ServerConfig{NoClientAuth: true, ServerVersion: "SSH-2.0-envctl-guest"}
	config.AddHostKey(key)
	client := heard.On(conn)
	sc, channels, requests, err := ssh.NewServerConn(client, config)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("ssh handshake: %w", err)
	}
	s := &server{machine: m, conn: sc, log: log, forwards: map[string]*forward{}}
	silent := make(chan struct{})
	s.watch = sync.OnceFunc(func() {
		s.wg.Go(func() { client.Watch(ctx, silenceLimit, func() { close(silent) }) })
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(ctx, channels, requests, cancel)
	}()
	select {
	case <-done:
		return nil
	case <-silent:
	}
	// A read from a Windows pipe may not notice that it is closed, and run waits for it. So run is left
	// behind, for the process to end, once nothing that was asked for is being worked on.
	s.closeForwards()
	cancel()
	s.busy.Wait()
	return fmt.Errorf("nothing came from the client for %s", silenceLimit)
}

// server is one SSH connection and everything that was asked for over it.
type server struct {
	machine *Machine
	conn    *ssh.ServerConn
	log     *slog.Logger
	watch   func() // ends a client that goes silent; called for one that sends keepalives

	wg       sync.WaitGroup // every goroutine that works for the connection
	busy     sync.WaitGroup // commands that are being carried out
	mu       sync.Mutex
	forwards map[string]*forward // listeners, by the address that was asked for
}

// run works until the connection has ended, and waits for all of its goroutines.
func (s *server) run(ctx context.Context, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, cancel func()) {
	s.wg.Go(func() {
		for r := range requests {
			s.globalRequest(ctx, r)
		}
	})
	for c := range channels {
		switch c.ChannelType() {
		case "session":
			s.wg.Go(func() { s.session(ctx, c) })
		case "direct-tcpip":
			s.wg.Go(func() { s.direct(ctx, c) })
		default:
			c.Reject(ssh.UnknownChannelType, "envctl-guest knows session and direct-tcpip")
		}
	}
	cancel()
	s.closeForwards()
	s.conn.Close()
	s.wg.Wait()
}

func (s *server) globalRequest(ctx context.Context, r *ssh.Request) {
	ok, answer := false, []byte(nil)
	switch r.Type {
	case "tcpip-forward":
		ok, answer = s.listen(ctx, r.Payload)
	case "cancel-tcpip-forward":
		ok = s.cancelForward(r.Payload)
	case "keepalive@openssh.com":
		s.watch()
		ok = true
	}
	if r.WantReply {
		r.Reply(ok, answer)
	}
}
