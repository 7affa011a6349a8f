// Package kit is a build's side of a session with BuildKit: a connection over which the engine calls back for the
// files, credentials and secrets that it needs. What goes over it is gRPC, of which this has as much as four
// calls take, over the HTTP/2 of the standard library. It also reads the messages about what a build does.
package kit

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Session is what one build offers. All of it may be called for at once.
type Session struct {
	// ID names the session in the call that starts the build.
	ID string
	// Shared is the same for builds whose files are alike: of those that an earlier one left, only what changed is sent.
	Shared string
	// Dirs are the folders that BuildKit may read, by name.
	Dirs map[string]Dir
	// Credentials gives those of one registry, as it is named in images' names; none are empty.
	Credentials func(ctx context.Context, registry string) (username, secret string, err error)
	Secrets     map[string][]byte
}

// NewID gives an ID that no other session has.
func NewID() string { return strings.ToLower(rand.Text()) }

// Dial opens a connection to the engine on which it is the client, and tells it with meta what is to be had.
type Dial func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error)

// Run answers the engine until it hangs up or ctx ends; neither is an error.
func (s *Session) Run(ctx context.Context, dial Dial) error {
	meta := map[string][]string{
		"X-Docker-Expose-Session-Uuid":        {s.ID},
		"X-Docker-Expose-Session-Sharedkey":   {s.Shared},
		"X-Docker-Expose-Session-Grpc-Method": {},
	}
	if strings.ContainsFunc(s.Shared, func(r rune) bool { return r < ' ' || r > '~' }) { // which a header cannot hold
		meta["X-Docker-Expose-Session-Sharedkey"] = []string{url.QueryEscape(s.Shared)}
		meta["X-Docker-Expose-Session-Sharedkey-Encoded"] = []string{"1"}
	}
	calls := s.calls()
	for path := range calls {
		meta["X-Docker-Expose-Session-Grpc-Method"] = append(meta["X-Docker-Expose-Session-Grpc-Method"], path)
	}
	conn, err := dial(ctx, "h2c", meta)
	if err != nil {
		return err
	}
	l := &single{conn: conn, closed: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:        server(calls),
		Protocols:      &protocols,
		MaxHeaderBytes: 16 << 20, // patterns come as headers
		ErrorLog:       log.New(io.Discard, "", 0),
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				_ = l.Close() // always nil
			}
		},
	}
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// single is a listener for one connection that is there already.
type single struct {
	once, end sync.Once
	conn      net.Conn
	closed    chan struct{}
}

// Accept gives the connection, and then waits for the listener to be closed.
func (l *single) Accept() (conn net.Conn, err error) {
	l.once.Do(func() { conn = l.conn })
	if conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *single) Close() error {
	l.end.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }
