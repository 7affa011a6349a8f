package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers/windows/winrm"
)

const (
	keepalive = 3 * time.Second
	// dead is how long nothing may be heard: a keepalive's answer, any output, or stdin being taken,
	// for behind much data an answer may be late.
	dead = 10 * time.Second
	// maxSaid is how much of the helper's stderr is kept, in bytes.
	maxSaid = 4 << 10
)

// errClosed is why a connection is lost that Close ended.
var errClosed = errors.New("the connection was closed")

// Conn is a connection to a machine's helper. It is safe for concurrent use.
type Conn struct {
	client   *winrm.Client
	shell    *winrm.Shell
	cmd      *winrm.Command
	end      context.CancelCauseFunc // ends cmd
	log      *slog.Logger
	greeting guestproto.Greeting
	ssh      *ssh.Client

	tasks sync.WaitGroup

	mu     sync.Mutex
	cause  error
	lost   chan struct{}
	stderr []byte
	closed sync.Once
}

// SSH is the client through which everything goes: sessions, SFTP, forwards both ways.
func (c *Conn) SSH() *ssh.Client { return c.ssh }

// Greeting is what the helper said of itself and of its machine.
func (c *Conn) Greeting() guestproto.Greeting { return c.greeting }

// BootID changes with every boot of the machine.
func (c *Conn) BootID() string { return c.greeting.BootID }

// DialContext connects to an address as the machine knows it.
func (c *Conn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.ssh.DialContext(ctx, network, address)
}

// HandleChannelOpen gives the channels of a kind that the machine opens. Only the first call for a kind does.
func (c *Conn) HandleChannelOpen(channelType string) <-chan ssh.NewChannel {
	return c.ssh.HandleChannelOpen(channelType)
}

// SendRequest is SSH's global request.
func (c *Conn) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return c.ssh.SendRequest(name, wantReply, payload)
}

// Done is closed when the connection is lost, before anything that goes through it ends because of that.
func (c *Conn) Done() <-chan struct{} { return c.lost }

// Alive reports whether Done is not closed.
func (c *Conn) Alive() bool {
	select {
	case <-c.lost:
		return false
	default:
		return true
	}
}

// Wait returns when the connection is lost, with the reason.
func (c *Conn) Wait() error {
	<-c.lost
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Close ends what goes through the connection, the helper with all that it runs, and the session. A
// machine that does not answer is left to itself after some seconds.
func (c *Conn) Close() error {
	c.closed.Do(func() {
		alive := c.Alive()
		c.markLost(errClosed)
		if alive {
			c.depart()
		}
		_ = c.ssh.Close()
		c.end(errClosed)
		_ = c.shell.Close(context.Background())
		_ = c.client.Close()
		c.tasks.Wait()
	})
	return nil
}

// depart closes the helper's stdin and gives it a moment to end what it runs.
func (c *Conn) depart() {
	left := make(chan struct{})
	c.tasks.Go(func() {
		defer close(left)
		_ = c.cmd.Stdin().Close()
		<-c.cmd.Done()
	})
	select {
	case <-left:
	case <-time.After(cleanupLimit):
	}
}

// markLost makes err the reason; the first one counts.
func (c *Conn) markLost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = err
		close(c.lost)
	}
}

// lose gives the connection up: what waits for it learns of it at once.
func (c *Conn) lose(err error) {
	c.markLost(err)
	c.end(err)
}

// watch gives the connection up when the machine shows no sign of life.
func (c *Conn) watch(keepalive, dead time.Duration) {
	tick := time.NewTicker(keepalive)
	defer tick.Stop()
	asked := make(chan struct{}, 1)
	for {
		select {
		case <-c.lost:
			return
		case <-tick.C:
		}
		if silence := c.cmd.Silence(); silence > dead {
			c.lose(fmt.Errorf("nothing was heard from %s for %s: it was switched off or restarted, or the network is gone", c.client.URL(), silence.Round(time.Second)))
			return
		}
		select {
		case asked <- struct{}{}: // one at a time; its answer is output, which Heard counts
			c.tasks.Go(func() {
				_, _, _ = c.ssh.SendRequest("keepalive@openssh.com", true, nil)
				<-asked
			})
		default:
		}
	}
}

// drain keeps the end of what the helper writes to stderr, and logs it.
func (c *Conn) drain() {
	buf := make([]byte, maxSaid)
	for {
		n, err := c.cmd.Stderr().Read(buf)
		if n > 0 {
			c.mu.Lock()
			c.stderr = append(c.stderr, buf[:n]...)
			c.stderr = c.stderr[max(0, len(c.stderr)-maxSaid):]
			c.mu.Unlock()
			for line := range strings.Lines(string(buf[:n])) {
				c.log.Debug("helper", "line", strings.TrimSpace(line))
			}
		}
		if err != nil {
			return
		}
	}
}

// said is what the helper wrote to stderr, on one line.
func (c *Conn) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := strings.Join(strings.Fields(winrm.DecodeCLIXML(string(c.stderr))), " "); s != "" {
		return s
	}
	return "it said nothing"
}

// pipes are the command's stdout and stdin. Closing them gives the connection up.
type pipes struct{ c *Conn }

func (p *pipes) Read(b []byte) (int, error) {
	n, err := p.c.cmd.Stdout().Read(b)
	if err != nil {
		// Before SSH hears of it, and so before anything that goes through it ends.
		p.c.markLost(p.reason(err))
	}
	return n, err
}

func (p *pipes) reason(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the helper on %s ended: %s", p.c.client.URL(), p.c.said())
	}
	return fmt.Errorf("the session with %s broke: %w", p.c.client.URL(), err)
}

func (p *pipes) Write(b []byte) (int, error) { return p.c.cmd.Stdin().Write(b) }

func (p *pipes) Close() error {
	p.c.lose(errClosed)
	return nil
}
