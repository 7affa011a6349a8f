package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// errCut is why a connection ended that the link took with it.
var errCut = errors.New("the link was lost while it was open")

const copyBuffer = 32 << 10 // bytes: what one SSH packet holds

type halfCloser interface{ CloseWrite() error }

// splice carries both directions between local, a TCP connection of the gateway's, and remote, one through
// the link, until both have ended. An end in one direction is handed on as such (half-close). What breaks
// one side breaks the other: local is then reset, so that nobody takes half an answer for a whole one.
func splice(ctx context.Context, s *session, m *meter, local net.Conn, remote io.ReadWriteCloser) error {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	stop := context.AfterFunc(ctx, func() {
		reset(local)
		_ = remote.Close()
	})
	defer context.AfterFunc(s.lost, func() { abort(errCut) })()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := pipe(remote, local, &m.in, nil); err != nil {
			abort(fmt.Errorf("into the machine: %w", err))
			return
		}
		if err := closeWrite(remote); err != nil && !errors.Is(err, io.EOF) {
			abort(fmt.Errorf("into the machine: %w", err))
		}
	})
	wg.Go(func() {
		err := pipe(local, remote, &m.out, s.heard.Touch)
		switch {
		case !s.link.Alive():
			abort(errCut)
		case err != nil:
			abort(fmt.Errorf("out of the machine: %w", err))
		default:
			if err := closeWrite(local); err != nil {
				abort(fmt.Errorf("out of the machine: %w", err))
			}
		}
	})
	wg.Wait()
	if stop() {
		_ = local.Close()
		_ = remote.Close()
		return nil
	}
	return context.Cause(ctx)
}

// pipe copies until from ends, counting what arrived.
func pipe(to io.Writer, from io.Reader, count *atomic.Int64, came func()) error {
	buf := make([]byte, copyBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if came != nil {
				came()
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			count.Add(int64(n))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func closeWrite(c io.Closer) error {
	if h, ok := c.(halfCloser); ok {
		return h.CloseWrite()
	}
	return nil
}

// reset closes a TCP connection so that the other end sees an error rather than an end.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
