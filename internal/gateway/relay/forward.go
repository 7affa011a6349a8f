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
)

// wire is one way through the gateway. run carries it until ctx ends; nothing of it is left when run returns.
type wire interface {
	run(ctx context.Context)
	status(link LinkStatus) WireStatus
}

// forwarder offers one port of the machine.
type forwarder struct {
	spec   Forward
	keeper *keeper
	log    *slog.Logger
	timing timing
	meter  meter
	first  net.Listener // what listen gave before run; nil if it failed
}

func (f *forwarder) status(link LinkStatus) WireStatus {
	s := WireStatus{Direction: "forward", Name: f.spec.Port,
		Listen: ":" + strconv.Itoa(f.spec.Listen), Dial: f.target()}
	f.meter.fill(&s, link)
	return s
}

func (f *forwarder) target() string { return net.JoinHostPort(guestHost, strconv.Itoa(f.spec.Guest)) }

// listen is called before run: whoever connects from then on waits rather than fails, link or no link.
func (f *forwarder) listen() (l net.Listener, err error) {
	l, err = net.Listen("tcp", ":"+strconv.Itoa(f.spec.Listen))
	f.meter.listens(err)
	return l, err
}

func (f *forwarder) run(ctx context.Context) {
	l, pause := f.first, f.timing.backoffMin
	defer func() {
		if l != nil {
			_ = l.Close()
		}
	}()
	for ctx.Err() == nil {
		var err error
		if l == nil {
			l, err = f.listen()
		}
		if err == nil {
			pause = f.timing.backoffMin
			err = f.serve(ctx, l)
			l = nil
		}
		if ctx.Err() != nil {
			return
		}
		f.meter.listens(err)
		f.log.Warn("wire cannot listen, trying on", "wire", f.spec.Port, "reason", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, f.timing.backoffMax)
	}
}

func (f *forwarder) serve(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	defer l.Close()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		open.Go(func() { f.carry(ctx, conn) })
	}
}

func (f *forwarder) carry(ctx context.Context, local net.Conn) {
	f.meter.connections.Add(1)
	f.meter.open.Add(1)
	defer f.meter.open.Add(-1)
	s, remote, err := f.dial(ctx)
	if err != nil {
		f.meter.failed(err)
		reset(local)
		return
	}
	if err := splice(ctx, s, &f.meter, local, remote); err != nil && ctx.Err() == nil {
		f.meter.failed(err)
	}
}

func (f *forwarder) dial(ctx context.Context) (*session, net.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, f.timing.grace)
	defer cancel()
	s, err := f.keeper.await(waiting)
	if err != nil {
		return nil, nil, err
	}
	dialing, cancel := context.WithTimeoutCause(ctx, f.timing.dial, errors.New("no answer in time"))
	defer cancel()
	defer context.AfterFunc(s.lost, cancel)()
	remote, err := s.link.DialContext(dialing, "tcp", f.target())
	if err != nil {
		return nil, nil, fmt.Errorf("%s in the machine: %w", f.target(), err)
	}
	return s, remote, nil
}
