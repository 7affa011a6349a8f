// Package remote connects to a Windows machine: a WinRM session, in it the guest helper, which is
// brought there when it is missing, and over the helper's stdin and stdout an SSH client. It runs on
// the host and in the gateway's container alike. What is asked of the helper is left to others.
package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/carrier"
	"github.com/envctl/envctl/providers/windows/winrm"
)

// ErrNoHelper means that the helper did not start, and was not to be brought to the machine.
var ErrNoHelper = errors.New("the helper does not run on the machine")

const (
	// startLimit is how long a helper may take from its start to the end of SSH's handshake. A
	// machine that just booted, or whose antivirus looks at the file first, is slow.
	startLimit = 2 * time.Minute
	// cleanupLimit bounds each step of taking things down.
	cleanupLimit = 2 * time.Second
)

// Machine is one machine and what is brought there.
type Machine struct {
	WinRM winrm.Config
	// HelperGzip is the helper for the machine's architecture, compressed, and HelperSHA256 the
	// lower-case hex digest of it uncompressed, which names its place.
	HelperGzip   []byte
	HelperSHA256 string
	// LookOnly changes nothing on the machine: without a helper there, Connect gives ErrNoHelper.
	LookOnly bool
	// Progress hears how much of the helper's HelperGzip was handed on, in bytes; nil means nobody.
	Progress func(sent, total int64)
	// Log gets what is worth reading afterwards; nil means nobody.
	Log *slog.Logger

	keepalive, dead time.Duration // for tests; 0 means the constants
}

// Connect makes a connection. The helper is started first and uploaded only where that fails: that it
// is there is nearly always so. Once Connect has returned, ctx no longer matters.
func Connect(ctx context.Context, m Machine) (*Conn, error) {
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	if m.WinRM.Log == nil {
		m.WinRM.Log = m.Log
	}
	if m.WinRM.CleanupTimeout == 0 {
		m.WinRM.CleanupTimeout = cleanupLimit
	}
	if m.keepalive == 0 {
		m.keepalive, m.dead = keepalive, dead
	}
	helper, err := helperPath(m.HelperSHA256)
	if err != nil {
		return nil, err
	}
	client, err := winrm.New(m.WinRM)
	if err != nil {
		return nil, err
	}
	c, err := connect(ctx, client, helper, m)
	if err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("connect to %s: %w", client.URL(), err)
	}
	return c, nil
}

func connect(ctx context.Context, client *winrm.Client, helper string, m Machine) (c *Conn, err error) {
	shell, err := client.Shell(ctx, winrm.ShellOptions{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = shell.Close(ctx)
		}
	}()
	c, err = start(ctx, client, shell, helper, m)
	if !errors.Is(err, ErrNoHelper) || m.LookOnly {
		return c, err
	}
	m.Log.Info("bringing the helper", "url", client.URL(), "bytes", len(m.HelperGzip))
	if err := bring(ctx, shell, helper, m); err != nil {
		return nil, fmt.Errorf("bring the helper to %s: %w", helper, err)
	}
	c, err = start(ctx, client, shell, helper, m)
	if errors.Is(err, ErrNoHelper) {
		err = fmt.Errorf("%w, although it was brought there: an antivirus program or AppLocker may keep %s from running; allow it", err, helper)
	}
	return c, err
}

// start starts the helper and shakes hands with it.
func start(ctx context.Context, client *winrm.Client, shell *winrm.Shell, helper string, m Machine) (*Conn, error) {
	// The command lives as long as the connection, and its start only as long as ctx.
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	cmd, err := shell.Start(life, `"`+helper+`" serve`, winrm.CommandOptions{})
	if err != nil {
		stop()
		end(err)
		return nil, err
	}
	c := &Conn{client: client, shell: shell, cmd: cmd, end: end, log: m.Log, lost: make(chan struct{})}
	c.tasks.Go(c.drain)
	hands, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("the helper did not answer within %s", startLimit))
	defer cancel()
	err = c.shake(hands)
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		stop()
		return nil, c.failed(ctx, err)
	}
	c.tasks.Go(func() { c.watch(m.keepalive, m.dead) })
	return c, nil
}

// shake agrees on the carrier's form and opens SSH, pinned to the key that the greeting brought: both
// came through a session that is authenticated, so neither end asks for more.
func (c *Conn) shake(ctx context.Context) error {
	p := &pipes{c: c}
	conn, greeting, err := carrier.Client(ctx, p, p)
	if err != nil {
		return err
	}
	c.greeting = greeting
	if in, out := conn.Forms(); in != carrier.Raw || out != carrier.Raw {
		c.log.Info("the session changes bytes on their way: using base64", "stdout", string(in), "stdin", string(out))
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(greeting.HostKey))
	if err != nil {
		return fmt.Errorf("the helper's host key: %w", err)
	}
	defer context.AfterFunc(ctx, func() { c.lose(context.Cause(ctx)) })()
	sc, channels, requests, err := ssh.NewClientConn(conn, c.client.URL(), &ssh.ClientConfig{
		User:              "envctl",
		HostKeyCallback:   ssh.FixedHostKey(key),
		HostKeyAlgorithms: []string{key.Type()},
		ClientVersion:     "SSH-2.0-envctl",
	})
	if err != nil {
		return err
	}
	c.ssh = ssh.NewClient(sc, channels, requests)
	return nil
}

// failed takes a connection down that did not come up, and says why it did not: the context's end, a
// session that broke, or a helper that ended without a greeting and what was said in its place.
func (c *Conn) failed(ctx context.Context, err error) error {
	if errors.Is(err, carrier.ErrNoGreeting) {
		// Stdout has ended, or something else talks there; in the one case the command has too.
		select {
		case <-c.cmd.Done():
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	c.lose(err)
	_ = c.cmd.Close()
	c.tasks.Wait()
	code, werr := c.cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case werr != nil && !errors.Is(werr, err) && !errors.Is(werr, winrm.ErrClosed):
		return werr
	case werr == nil && errors.Is(err, carrier.ErrNoGreeting):
		return fmt.Errorf("%w: it ended with %d: %s", ErrNoHelper, code, c.said())
	}
	return err
}
