package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"
)

// reverser has the machine listen for one port of a container.
type reverser struct {
	spec   Reverse
	keeper *keeper
	log    *slog.Logger
	timing timing
	meter  meter
}

func (r *reverser) status(link LinkStatus) WireStatus {
	s := WireStatus{Direction: "reverse", Name: r.spec.To.String(), Listen: r.address(), Dial: r.spec.Dial}
	r.meter.fill(&s, link)
	return s
}

func (r *reverser) address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.spec.GuestListen))
}

// run asks each new link to listen, and asks again while the machine refuses.
func (r *reverser) run(ctx context.Context) {
	var last *session
	pause := r.timing.backoffMin
	for ctx.Err() == nil {
		s, err := r.keeper.await(ctx)
		if err != nil {
			return
		}
		if s != last {
			last, pause = s, r.timing.backoffMin
		}
		l, err := s.link.Listen("tcp", r.address())
		switch {
		case err == nil:
			pause = r.timing.backoffMin
			r.meter.listens(nil)
			r.serve(ctx, s, l)
			r.meter.silent()
		case s.lost.Err() != nil:
			r.meter.silent()
		default:
			r.meter.listens(fmt.Errorf("the machine does not listen on %s; something of its own may hold the port: %w", r.address(), err))
			r.log.Warn("wire cannot listen in the machine, trying on", "wire", r.spec.To, "listen", r.address(), "reason", err)
		}
		select {
		case <-ctx.Done():
		case <-s.lost.Done(): // the next link is a new chance at once
		case <-time.After(pause):
		}
		pause = min(2*pause, r.timing.backoffMax)
	}
}

// serve carries what l accepts until the link is lost, l ends, or ctx does.
func (r *reverser) serve(ctx context.Context, s *session, l net.Listener) {
	var open sync.WaitGroup
	defer open.Wait()
	// Close takes the listener away here at once and then asks the machine to, which must be done before a wire
	// that takes the same port asks for it. A machine that is gone answers nothing, and is not waited for.
	closed := make(chan struct{})
	done, cancel := context.WithCancel(ctx)
	context.AfterFunc(done, func() { defer close(closed); _ = l.Close() })
	defer func() {
		cancel()
		select {
		case <-closed:
		case <-s.lost.Done():
		}
	}()
	defer context.AfterFunc(s.lost, cancel)()
	for {
		conn, err := l.Accept()
		if err != nil {
			if done.Err() == nil {
				r.meter.failed(fmt.Errorf("the machine stopped listening: %w", err))
			}
			return
		}
		open.Go(func() { r.carry(ctx, s, conn) })
	}
}

func (r *reverser) carry(ctx context.Context, s *session, remote net.Conn) {
	r.meter.connections.Add(1)
	r.meter.open.Add(1)
	defer r.meter.open.Add(-1)
	d := net.Dialer{Timeout: r.timing.dial}
	local, err := d.DialContext(ctx, "tcp", r.spec.Dial)
	if err != nil {
		_ = remote.Close()
		r.meter.failed(err)
		return
	}
	if err := splice(ctx, s, &r.meter, local, remote); err != nil && ctx.Err() == nil {
		r.meter.failed(err)
	}
}
