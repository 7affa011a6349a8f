package winrm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/bodgit/ntlmssp"
)

// idleLimit is how long a kept connection is trusted without use: Windows drops one after two
// minutes, and a request that meets the drop is lost in a way nobody can mend.
const idleLimit = 50 * time.Second

// link is one kept connection, authenticated once, with one request in flight at most. It belongs to
// one goroutine at a time. After any failure the connection is dropped, and the next request begins
// with a new handshake: sealing is a stream cipher, which cannot be joined in the middle.
type link struct {
	cfg     Config
	conn    net.Conn
	br      *bufio.Reader
	session *ntlmssp.SecuritySession // what messages are sealed with; nil over TLS
	used    time.Time
	last    bool // the machine closes the connection after this answer
	// pending is NTLM's last message, which over TLS travels with the first request.
	pending string
}

// raw is an HTTP answer that was authenticated and, where it had to be, unsealed.
type raw struct {
	status int
	body   []byte
}

// post sends one message and waits for its answer until ctx ends or limit is over. A message that a
// kept connection refused with 401 was not carried out, so it is sent again on a new connection;
// nothing else is ever sent twice.
func (l *link) post(ctx context.Context, body []byte, limit time.Duration) (*raw, error) {
	kept := l.conn != nil && time.Since(l.used) < idleLimit
	res, err := l.try(ctx, body, limit)
	var auth *AuthError
	if kept && errors.As(err, &auth) {
		res, err = l.try(ctx, body, limit)
	}
	return res, err
}

func (l *link) try(ctx context.Context, body []byte, limit time.Duration) (*raw, error) {
	if l.conn != nil && time.Since(l.used) >= idleLimit {
		l.drop()
	}
	if l.conn == nil {
		if err := l.connect(ctx); err != nil {
			l.drop()
			return nil, err
		}
	}
	conn := l.conn
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within %s", ErrLostAnswer, limit))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	res, err := l.exchange(body)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.drop()
		return nil, err
	}
	l.used = time.Now()
	if l.last {
		l.drop()
	}
	return res, nil
}

// connect dials, shakes hands and authenticates as far as that goes before there is a message.
func (l *link) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.ConnectTimeout,
		fmt.Errorf("%s did not answer within %s: check the address, and that WinRM listens there (winrm quickconfig)", l.cfg.URL(), l.cfg.ConnectTimeout))
	defer cancel()
	err := l.open(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (l *link) open(ctx context.Context) error {
	conn, err := l.cfg.Dial(ctx, "tcp", l.cfg.hostPort())
	if err != nil {
		return fmt.Errorf("connect to %s: %w: check the address, and that WinRM listens there (winrm quickconfig)", l.cfg.URL(), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	l.conn = conn
	if l.cfg.HTTPS {
		t, err := startTLS(ctx, conn, l.cfg)
		if err != nil {
			return err
		}
		l.conn = t
	}
	l.br = bufio.NewReaderSize(l.conn, 64<<10)
	l.session, l.pending, l.last = nil, "", false
	if l.cfg.Auth == NTLM {
		return l.ntlm()
	}
	return nil
}

// exchange sends a message in the form that this connection has, and accepts no other in return.
func (l *link) exchange(body []byte) (*raw, error) {
	auth, contentType := l.pending, soapContentType
	if l.cfg.Auth == Basic {
		auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(l.cfg.User+":"+l.cfg.Password.Reveal()))
	}
	if l.session != nil {
		var err error
		if body, err = seal(l.session, body); err != nil {
			return nil, err
		}
		contentType = sealedContentType
	}
	resp, data, err := l.http(auth, contentType, body)
	if err != nil {
		return nil, err
	}
	l.pending = ""
	if resp.StatusCode == http.StatusUnauthorized {
		return nil, l.authError(resp)
	}
	if l.session != nil {
		if !isSealed(resp.Header.Get("Content-Type")) {
			if resp.StatusCode >= 400 { // nothing in it is believed, but that it failed
				return &raw{status: resp.StatusCode}, nil
			}
			return nil, fmt.Errorf("%s answered a sealed message in the clear, which is not accepted: %w", l.cfg.URL(), ErrNotSealed)
		}
		if data, err = unseal(l.session, data); err != nil {
			return nil, fmt.Errorf("answer of %s: %w", l.cfg.URL(), err)
		}
	}
	return &raw{status: resp.StatusCode, body: data}, nil
}

// http sends one request and reads its whole answer. Any error means that the answer was lost.
func (l *link) http(auth, contentType string, body []byte) (*http.Response, []byte, error) {
	msg := make([]byte, 0, len(body)+1024)
	msg = append(msg, "POST /wsman HTTP/1.1\r\nHost: "+l.cfg.hostPort()+"\r\nUser-Agent: envctl\r\nContent-Type: "+contentType+
		"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n"...)
	if auth != "" {
		msg = append(msg, "Authorization: "+auth+"\r\n"...)
	}
	msg = append(append(msg, "\r\n"...), body...)
	if _, err := l.conn.Write(msg); err != nil {
		return nil, nil, l.lost(err)
	}
	resp, err := http.ReadResponse(l.br, &http.Request{Method: http.MethodPost})
	if err != nil {
		return nil, nil, l.lost(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := readAll(resp)
	if err != nil {
		return nil, nil, l.lost(err)
	}
	l.last = resp.Close
	return resp, data, nil
}

func readAll(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes, more than was allowed", resp.ContentLength)
	}
	var b bytes.Buffer
	if resp.ContentLength > 0 {
		b.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = fmt.Errorf("an answer of over %d bytes, more than was allowed", maxAnswer)
	}
	return b.Bytes(), err
}

func (l *link) lost(err error) error {
	return fmt.Errorf("%s: %w: %w", l.cfg.URL(), ErrLostAnswer, err)
}

func (l *link) authError(resp *http.Response) error {
	e := &AuthError{URL: l.cfg.URL(), User: l.cfg.User, Auth: l.cfg.Auth}
	for _, v := range resp.Header.Values("WWW-Authenticate") {
		e.Offered = append(e.Offered, schemes(v)...)
	}
	return e
}

// drop closes the connection, and forgets what was agreed on it.
func (l *link) drop() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.conn, l.br, l.session, l.pending = nil, nil, nil, ""
}
