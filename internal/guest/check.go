package guest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
)

// tailBytes is how much of a check's output is worth showing.
const tailBytes = 2000

// Check asks once whether something inside the machine is ready.
func Check(ctx context.Context, req guestproto.CheckRequest) guestproto.CheckResult {
	limit := 5 * time.Second
	if req.Timeout > 0 {
		limit = time.Duration(req.Timeout) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var err error
	switch {
	case req.TCPPort != 0:
		var conn net.Conn
		if conn, err = dialInside(ctx, "localhost", req.TCPPort); err == nil {
			conn.Close()
		}
	case req.HTTP != nil:
		err = checkHTTP(ctx, *req.HTTP)
	case len(req.Exec) > 0:
		err = checkExec(ctx, req.Exec)
	default:
		err = errNothingToCheck
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (limit %s)", err, limit)
		}
		return guestproto.CheckResult{Detail: err.Error()}
	}
	return guestproto.CheckResult{Ready: true}
}

func checkHTTP(ctx context.Context, c guestproto.HTTPCheck) error {
	scheme := c.Scheme
	if scheme == "" {
		scheme = "http"
	}
	url := scheme + "://" + net.JoinHostPort("localhost", strconv.Itoa(c.Port)) + "/" + strings.TrimPrefix(c.Path, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		Proxy:             nil,
		// Whose certificate it is does not matter to the question whether it answers.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialInside(ctx, "localhost", c.Port)
		},
	}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport: transport,
		// A redirect is an answer: where it leads may not be reachable from here.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	if c.Status != 0 && resp.StatusCode == c.Status || c.Status == 0 && resp.StatusCode >= 200 && resp.StatusCode < 400 {
		return nil
	}
	return fmt.Errorf("GET %s: %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
}

func checkExec(ctx context.Context, args []string) error {
	p, err := startProcess(command{line: quoteArgs(args)})
	if err != nil {
		return err
	}
	var out tail
	code, err := p.run(ctx, &out, &out)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s: exit code %d: %s", args[0], code, out.text())
	}
	return nil
}

// tail keeps the end of what is written to it. It may be written to from two streams.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailBytes {
		t.buf = append([]byte(nil), t.buf[len(t.buf)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
