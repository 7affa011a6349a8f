package docker

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"sync"
	"time"
)

// sshDialer reaches an engine as the docker command does for ssh:// hosts: `docker system dial-stdio`
// on the other side, over the user's own ssh with their configuration and agent.
func sshDialer(u *url.URL) func(ctx context.Context, network, addr string) (net.Conn, error) {
	args := []string{"-o", "ConnectTimeout=30", "-T"}
	if user := u.User.Username(); user != "" {
		args = append(args, "-l", user)
	}
	if port := u.Port(); port != "" {
		args = append(args, "-p", port)
	}
	args = append(args, "--", u.Hostname(), "docker", "system", "dial-stdio")
	return func(context.Context, string, string) (net.Conn, error) {
		// The connection outlives the call that dialled it, so ctx does not end the command; Close does.
		cmd := exec.Command("ssh", args...)
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("reaching the Docker engine at %s: %w", u.Redacted(), err)
		}
		return &commandConn{cmd: cmd, in: in, out: out}, nil
	}
}

// commandConn is a connection over the pipes of a process.
type commandConn struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	close sync.Once
}

func (c *commandConn) Read(b []byte) (int, error)  { return c.out.Read(b) }
func (c *commandConn) Write(b []byte) (int, error) { return c.in.Write(b) }

// CloseWrite tells the other side that no more is coming.
func (c *commandConn) CloseWrite() error { return c.in.Close() }

// Close ends the process and waits for it.
func (c *commandConn) Close() error {
	c.close.Do(func() {
		_ = c.in.Close()
		_ = c.cmd.Process.Kill() // it may have ended by itself
		_ = c.cmd.Wait()
	})
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
