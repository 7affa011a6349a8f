package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
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
	s := WireStatus{Direction: "reverse", Name: r.spec.To.String(),
		Listen: net.JoinHostPort(guestHost, strconv.Itoa(r.spec.GuestListen)), Dial: r.spec.Dial}
	r.meter.fill(&s, link)
	return s
}

// run asks each new link to listen, and asks again while the machine refuses.
func (r *reverser) run(ctx context.Context) {
	var last *session
	var said string
	pause := r.timing.backoffMin
	for ctx.Err() == nil {
		s, err := r.keeper.await(ctx)
		if err != nil {
			return
		}
		if s != last {
			last, pause = s, r.timing.backoffMin
		}
		if err := r.serve(ctx, s); err != nil {
			r.meter.listens(err)
			if said != err.Error() {
				said = err.Error()
				r.log.Warn("wire cannot listen in the machine, trying on", "wire", r.spec.To, "reason", err)
			}
		} else {
			said = ""
			r.meter.silent()
		}
		select {
		case <-ctx.Done():
		case <-s.lost.Done(): // the next link is a new chance at once
		case <-time.After(pause):
		}
		pause = min(2*pause, r.timing.backoffMax)
	}
}

// serve carries what the machine's listener brings until the link is lost or ctx ends, and then returns nil. An
// error is why the machine does not listen.
func (r *reverser) serve(ctx context.Context, s *session) error {
	var open sync.WaitGroup
	defer open.Wait()
	err := s.listeners.add(r.spec.GuestListen, func(nc ssh.NewChannel) { open.Go(func() { r.carry(ctx, s, nc) }) })
	if err != nil {
		if s.lost.Err() != nil {
			return nil
		}
		return err
	}
	defer s.listeners.forget(r.spec.GuestListen)
	r.meter.listens(nil)
	select {
	case <-s.lost.Done():
		return nil
	case <-ctx.Done():
	}
	// The port must be free before another wire asks for it. A machine that is gone answers nothing, and is not
	// waited for: its link ends this.
	removed := make(chan struct{})
	go func() { defer close(removed); s.listeners.remove(r.spec.GuestListen) }()
	select {
	case <-removed:
	case <-s.lost.Done():
	}
	return nil
}

// carry connects to the target first: only then is whoever dialled in the machine told that it answered.
func (r *reverser) carry(ctx context.Context, s *session, nc ssh.NewChannel) {
	r.meter.connections.Add(1)
	r.meter.open.Add(1)
	defer r.meter.open.Add(-1)
	d := net.Dialer{Timeout: r.timing.dial}
	local, err := d.DialContext(ctx, "tcp", r.spec.Dial)
	if err != nil {
		r.meter.failed(err)
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	remote, requests, err := nc.Accept()
	if err != nil {
		r.meter.failed(err)
		reset(local)
		return
	}
	go ssh.DiscardRequests(requests) // they end with the channel
	if err := splice(ctx, s, &r.meter, local, remote); err != nil && ctx.Err() == nil {
		r.meter.failed(err)
	}
}

// listeners are the ports that a machine listens on for one link. It stands in for ssh.Client's own Listen, which throws
// away why a machine refuses, and tells who dialled that it answered before the target was tried.
type listeners struct {
	link Link

	mu sync.Mutex
	by map[int]func(ssh.NewChannel)
}

func newListeners(link Link) *listeners {
	return &listeners{link: link, by: map[int]func(ssh.NewChannel){}}
}

// forwardRequest is tcpip-forward's and its cancellation's: RFC 4254 section 7.1.
type forwardRequest struct {
	Host string
	Port uint32
}

// forwardedOpen opens a forwarded-tcpip channel: RFC 4254 section 7.2.
type forwardedOpen struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// run hands on connections until the link ends.
func (l *listeners) run() {
	for nc := range l.link.HandleChannelOpen("forwarded-tcpip") {
		var open forwardedOpen
		if err := ssh.Unmarshal(nc.ExtraData(), &open); err != nil {
			_ = nc.Reject(ssh.ConnectionFailed, "malformed forwarded-tcpip channel")
			continue
		}
		l.mu.Lock()
		take := l.by[int(open.Port)]
		if take != nil {
			take(nc)
		}
		l.mu.Unlock()
		if take == nil {
			_ = nc.Reject(ssh.Prohibited, "nobody asked for this port")
		}
	}
}

// add has the machine listen on a port of its 127.0.0.1. Each connection goes to take, which returns at once.
func (l *listeners) add(port int, take func(ssh.NewChannel)) error {
	l.mu.Lock()
	l.by[port] = take
	l.mu.Unlock()
	ok, answer, err := l.link.SendRequest("tcpip-forward", true, ssh.Marshal(forwardRequest{guestHost, uint32(port)}))
	if err == nil && !ok {
		// The helper says why; RFC 4254 leaves a refusal's payload empty.
		err = errors.New("something in it may hold the port")
		if len(answer) > 0 {
			err = errors.New(string(answer))
		}
	}
	if err != nil {
		l.forget(port)
		return fmt.Errorf("the machine does not listen on %s:%d: %w", guestHost, port, err)
	}
	return nil
}

// remove ends what add began. Once it returns the port is free, or the link is lost.
func (l *listeners) remove(port int) {
	l.forget(port)
	_, _, _ = l.link.SendRequest("cancel-tcpip-forward", true, ssh.Marshal(forwardRequest{guestHost, uint32(port)}))
}

// forget makes sure that take is not called again.
func (l *listeners) forget(port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, port)
}
