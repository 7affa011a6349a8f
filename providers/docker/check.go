package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

// check gives the check that says when the container is ready; nil where running is enough.
func (w *waiter) check(is container.InspectResponse) func(context.Context) error {
	r := w.body.Ready
	switch {
	case r == nil:
		if command := healthcheck(is.Config); command != nil {
			return func(ctx context.Context) error { return w.exec(ctx, is.ID, command) }
		}
	case r.Exec != nil:
		return func(ctx context.Context) error { return w.exec(ctx, is.ID, r.Exec) }
	case r.HTTP != nil:
		return func(ctx context.Context) error { return w.http(ctx, is, *r.HTTP) }
	case r.TCP != nil:
		return func(ctx context.Context) error {
			conn, err := w.dial(ctx, is, r.TCP.Port)
			if err != nil {
				return err
			}
			return conn.Close()
		}
	case r.Log != nil:
		return func(ctx context.Context) error { return w.log(ctx, is, r.Log.Pattern) }
	}
	return nil
}

// healthcheck gives the command of an image's HEALTHCHECK. It is run here rather than waited for, since
// the engine first runs it after a whole interval, 30 s unless the image says otherwise.
func healthcheck(config *container.Config) []string {
	if config == nil || config.Healthcheck == nil || len(config.Healthcheck.Test) < 2 {
		return nil
	}
	switch test := config.Healthcheck.Test; test[0] {
	case "CMD":
		return test[1:]
	case "CMD-SHELL":
		shell := config.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return append(append([]string{}, shell...), test[1])
	}
	return nil
}

func (w *waiter) exec(ctx context.Context, id string, command []string) error {
	var said limitedBuffer
	code, err := w.p.exec(ctx, id, providers.ExecOptions{Command: command, Stdout: &said, Stderr: &said})
	what := strings.Join(command, " ")
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%s did not end in time%s", what, said.after())
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	// Else the container had just ended, and may come back.
	case (code == 126 || code == 127) && noSuchProgram.MatchString(said.String()):
		return &neverError{fmt.Errorf("%s cannot be run in the container; see that the image has it%s", what, said.after())}
	case code != 0:
		return fmt.Errorf("%s ended with exit code %d%s", what, code, said.after())
	}
	return nil
}

func (w *waiter) http(ctx context.Context, is container.InspectResponse, h envspec.HTTPCheck) error {
	port, err := w.port(h.Port)
	if err != nil {
		return err
	}
	scheme := "http"
	if port.Scheme == "https" {
		scheme = "https"
	}
	// The name is what a check inside the container would use; servers that look at it know localhost.
	url := fmt.Sprintf("%s://localhost:%d/%s", scheme, port.Guest, strings.TrimPrefix(h.Path, "/"))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return &neverError{err}
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // whether it answers is asked, not who it is
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return w.dial(ctx, is, h.Port)
		},
	}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == h.Status || h.Status == 0 && resp.StatusCode >= 200 && resp.StatusCode < 400 {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // what came is enough to show
	return fmt.Errorf("GET %s answered %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
}

// sinceStart is a time before which the log is of earlier runs; "" where there was none. A run's first lines may be
// older than what the engine takes for its start, and an earlier one's last lines younger than its end.
func sinceStart(s *container.State) string {
	started, err := time.Parse(time.RFC3339Nano, s.StartedAt)
	ended, never := time.Parse(time.RFC3339Nano, s.FinishedAt)
	if err != nil || never != nil || ended.Year() <= 1 || ended.After(started) {
		return ""
	}
	return ended.Add(started.Sub(ended) / 2).Format(time.RFC3339Nano)
}

// log reads the log from the container's latest start until a line matches.
func (w *waiter) log(ctx context.Context, is container.InspectResponse, pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return &neverError{fmt.Errorf("ready.log: %w", err)}
	}
	found := errors.New("found")
	lines := &lineWriter{line: func(line string) error {
		if re.MatchString(line) {
			return found
		}
		return nil
	}}
	err = w.p.logs(ctx, is.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Since: sinceStart(is.State)}, lines, lines)
	switch {
	case errors.Is(err, found) || lines.flush() != nil:
		return nil
	case err != nil && ctx.Err() == nil:
		return err
	}
	return fmt.Errorf("no line of its log matches %q", pattern)
}

func (w *waiter) port(name string) (envspec.Port, error) {
	for _, port := range w.body.Ports {
		if port.Name == name {
			return port, nil
		}
	}
	return envspec.Port{}, &neverError{fmt.Errorf("its check asks for port %q, which it does not have", name)}
}

// seeThrough is how long a connection to a published port must last to count: an engine's proxy accepts
// it whether or not something listens behind, and then closes it.
const seeThrough = 250 * time.Millisecond

// dial connects to a port at the container's own address: directly, or where the engine is on another computer
// through the forward. From where neither goes (a Mac, an engine in a virtual machine), to the port as published.
func (w *waiter) dial(ctx context.Context, is container.InspectResponse, name string) (net.Conn, error) {
	port, err := w.port(name)
	if err != nil {
		return nil, err
	}
	remote, err := w.p.Remote(ctx)
	if err != nil {
		return nil, err
	}
	if remote {
		link, err := w.p.through(ctx, w.instance)
		if err != nil {
			return nil, err
		}
		return link.DialContext(ctx, "tcp", net.JoinHostPort(address(is), strconv.Itoa(port.Guest)))
	}
	var d net.Dialer
	if ip := address(is); ip != "" && !w.blocked && runtime.GOOS == "linux" && w.p.endpoint.local() {
		direct, cancel := context.WithTimeout(ctx, time.Second)
		conn, err := d.DialContext(direct, "tcp", net.JoinHostPort(ip, strconv.Itoa(port.Guest)))
		cancel()
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil {
			return conn, err
		}
		w.blocked = true
	}
	if port.Host == 0 {
		return nil, &neverError{fmt.Errorf("port %q can be reached neither at the container's address nor from this computer; use an exec check", name)}
	}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port.Host)))
	if err != nil {
		return nil, err
	}
	return seeThroughProxy(conn)
}

// seeThroughProxy gives the connection back if it stays open or speaks.
func seeThroughProxy(conn net.Conn) (net.Conn, error) {
	if err := conn.SetReadDeadline(time.Now().Add(seeThrough)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	first := make([]byte, 512)
	n, err := conn.Read(first)
	if n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errors.Join(fmt.Errorf("%s is closed at once: nothing listens in the container yet", conn.RemoteAddr()), conn.Close())
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &startedConn{Conn: conn, first: first[:n]}, nil
}

// startedConn is a connection of which the first bytes were read already.
type startedConn struct {
	net.Conn
	first []byte
}

func (c *startedConn) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

func address(is container.InspectResponse) string {
	if is.NetworkSettings == nil {
		return ""
	}
	for _, n := range is.NetworkSettings.Networks {
		if n.IPAddress != "" {
			return n.IPAddress
		}
	}
	return ""
}
