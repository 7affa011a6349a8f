// Package hostlink carries a gateway's connection to a machine that only the host itself can reach, such as one
// that a tunnel or another virtual machine offers on the host's loopback. Its container shares the host's
// network and listens where the engine's containers find their host, never on an outside address.
package hostlink

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Host is the name under which a container knows the computer that its engine runs on, where it is
// given "host-gateway" as its address (Docker Engine 20.10 and later; Docker Desktop gives the name by itself).
const Host = "host.docker.internal"

// Main is the relay's part of envctl-node: "run LISTEN TARGET" until ctx ends, or "check LISTEN".
func Main(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "run":
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[1])
		if err != nil {
			return err
		}
		return Serve(ctx, l, args[2])
	case len(args) == 2 && args[0] == "check":
		// A connection would be carried to the machine; that the address is taken says enough.
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[1])
		if err == nil {
			return errors.Join(errors.New("nothing listens there yet"), l.Close())
		}
		return nil
	}
	return errors.New("usage: envctl-node relay run LISTEN TARGET | check LISTEN")
}

// Serve carries each connection to target until ctx ends, and then ends them all.
func Serve(ctx context.Context, l net.Listener, target string) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		wg.Go(func() { carry(ctx, c, target) })
	}
}

func carry(ctx context.Context, c net.Conn, target string) {
	defer c.Close()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	t, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // the other end sees a refusal, not an empty answer
		}
		return
	}
	defer t.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close(); _ = t.Close() })()
	var wg sync.WaitGroup
	wg.Go(func() { half(t, c) })
	half(c, t)
	wg.Wait()
}

// half carries one direction and passes its end on.
func half(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if w, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = w.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}
