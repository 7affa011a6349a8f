package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sshDialer reaches an engine as the docker command does for ssh:// hosts: `docker system dial-stdio`
// on the other side, over the user's own ssh with their configuration and agent.
func sshDialer(u *url.URL) (func(ctx context.Context, network, addr string) (net.Conn, error), error) {
	args, err := sshArgs(u)
	if err != nil {
		return nil, err
	}
	return func(context.Context, string, string) (net.Conn, error) {
		// The connection outlives the call that dialled it, so ctx does not end the command; Close does.
		c, err := startCommand(exec.Command("ssh", args...))
		if err != nil {
			return nil, &sshError{said: err.Error()}
		}
		return c, nil
	}, nil
}

// sshArgs gives the arguments for ssh. A path in the address is that of the engine's socket on the other side.
func sshArgs(u *url.URL) ([]string, error) {
	if _, ok := u.User.Password(); ok {
		return nil, errors.New("a password in the address of an ssh:// host is not used; give ssh a key, or an agent")
	}
	if u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("an ssh:// host is written ssh://USER@HOST:PORT, of which only HOST has to be there")
	}
	args := []string{"-o", "ConnectTimeout=30", "-T"}
	if user := u.User.Username(); user != "" {
		args = append(args, "-l", user)
	}
	if port := u.Port(); port != "" {
		args = append(args, "-p", port)
	}
	args = append(args, "--", u.Hostname(), "docker")
	if socket := u.Path; strings.Trim(socket, "/") != "" {
		args = append(args, "--host="+quoteShell("unix://"+socket))
	}
	return append(args, "system", "dial-stdio"), nil
}

// quoteShell makes text one word of the shell on the other side.
func quoteShell(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// sshError is what ssh, or the docker command on the other side, said before it ended.
type sshError struct {
	said  string
	after bool // the engine had answered before
}

func (e *sshError) Error() string { return "ssh: " + strings.TrimPrefix(e.said, "ssh: ") }

// Unwrap makes it the end of a connection where there was one.
func (e *sshError) Unwrap() error {
	if e.after {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// commandConn is a connection over the pipes of a process.
type commandConn struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	said limitedBuffer
	end  func() error // ends the process and waits for it

	heard   atomic.Bool // something came
	closing sync.Once
	closed  chan struct{}
}

func startCommand(cmd *exec.Cmd) (*commandConn, error) {
	c := &commandConn{cmd: cmd, closed: make(chan struct{})}
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	cmd.Stderr = &c.said
	cmd.WaitDelay = time.Second // a master connection that ssh leaves in the background keeps standard error open
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.end = sync.OnceValue(func() error {
		_ = cmd.Process.Kill() // it may have ended by itself
		return cmd.Wait()
	})
	return c, nil
}

func (c *commandConn) Read(b []byte) (int, error) {
	n, err := c.out.Read(b)
	if n > 0 || err == nil {
		c.heard.Store(true)
		return n, err
	}
	return n, c.why(err)
}

func (c *commandConn) Write(b []byte) (int, error) {
	n, err := c.in.Write(b)
	if err != nil {
		err = c.why(err)
	}
	return n, err
}

// why turns the end of a pipe into what the process had to say about it.
func (c *commandConn) why(err error) error {
	select {
	case <-c.closed:
		return err // it was ended from here
	default:
	}
	if ended := c.end(); ended == nil {
		return err
	}
	if said := lastOf(c.said.String()); said != "" {
		return &sshError{said, c.heard.Load()}
	}
	return err
}

// lastOf is the last line of a text: warnings come first.
func lastOf(text string) string { return strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:]) }

// CloseWrite tells the other side that no more is coming.
func (c *commandConn) CloseWrite() error { return c.in.Close() }

// Close ends the process and waits for it.
func (c *commandConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	_ = c.in.Close()
	_ = c.end() // it was told to
	return nil
}

func (c *commandConn) LocalAddr() net.Addr                { return commandAddr{} }
func (c *commandConn) RemoteAddr() net.Addr               { return commandAddr{} }
func (c *commandConn) SetDeadline(time.Time) error        { return nil }
func (c *commandConn) SetReadDeadline(t time.Time) error  { return nil }
func (c *commandConn) SetWriteDeadline(t time.Time) error { return nil }

type commandAddr struct{}

func (commandAddr) Network() string { return "ssh" }
func (commandAddr) String() string  { return "ssh" }
