package wire

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// HostTaken gives the probe for this computer: it binds a TCP port of 127.0.0.1 and lets go of it at once.
// Whoever holds the port is named where the system tells. What Docker publishes is held by Docker's own
// processes, or on a Mac by its virtual machine: a caller that knows the containers puts their names first.
// When ctx ends, a port that cannot be bound is still reported as taken, its holder without a name.
func HostTaken(ctx context.Context) Taken {
	return func(port int) (string, bool) {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", address)
		if err == nil {
			_ = l.Close()
			return "", runtime.GOOS != "linux" && answers(ctx, address)
		}
		if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
			// A port below 1024 that only root may bind; Docker may all the same, where it is free.
			if !answers(ctx, address) {
				return "", false
			}
		} else if ctx.Err() != nil {
			return "", answers(context.WithoutCancel(ctx), address)
		}
		return holder(ctx, port), true
	}
}

// answers finds a listener on 0.0.0.0 or ::, beside which macOS and Windows let 127.0.0.1 be bound.
func answers(ctx context.Context, address string) bool {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
