package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/heard"
)

// guestHost is where the machine's own programs listen and connect.
const guestHost = "127.0.0.1"

// Link is one live connection to a machine's guest helper: an SSH client and what the helper said of
// itself when it greeted. Its methods may be called from many goroutines.
type Link interface {
	// DialContext connects to an address as the machine knows it.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// HandleChannelOpen gives the channels of a kind that the machine opens. Only the first call for a kind does.
	HandleChannelOpen(channelType string) <-chan ssh.NewChannel
	// SendRequest is SSH's global request.
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
	// BootID changes with every boot of the machine.
	BootID() string
	// Alive turns false before the first connection through the link ends because the link did: so a
	// connection's end is told from the link's.
	Alive() bool
	// Wait returns when the link is lost, with the reason.
	Wait() error
	// Close ends the link, what goes through it, and the helper.
	Close() error
}

// Connect makes a link to the machine, resolving its name anew. The helper is brought there where it is not yet.
type Connect func(ctx context.Context, m Machine) (Link, error)

// timing is how long things take; tests shorten it.
type timing struct {
	backoffMin, backoffMax time.Duration // between attempts
	attempt                time.Duration // one attempt, bringing the helper included
	keepalive              time.Duration // between checks of a link
	dead                   time.Duration // without any answer: the link is lost
	grace                  time.Duration // how long a new connection waits for the link
	dial                   time.Duration // to reach the target of a connection
	poll                   time.Duration // between looks at wires.json
	repeat                 time.Duration // between two log lines that say the same
	closing                time.Duration // what a link's end may take when the gateway stops
}

func defaults() timing {
	return timing{
		backoffMin: 250 * time.Millisecond, backoffMax: 5 * time.Second,
		attempt:   5 * time.Minute,
		keepalive: 5 * time.Second, dead: 20 * time.Second,
		grace: 2 * time.Second, dial: 10 * time.Second,
		poll: 500 * time.Millisecond, repeat: time.Minute,
		closing: 500 * time.Millisecond,
	}
}

// session is the time during which one link is up.
type session struct {
	link      Link
	listeners *listeners
	// lost is done when the link is.
	lost context.Context
	// heard is when something last came from the machine.
	heard *heard.Mark
}

// keeper keeps a link up, for ever.
type keeper struct {
	connect Connect
	machine Machine
	log     *slog.Logger
	timing  timing

	mu      sync.Mutex
	session *session      // nil while there is none
	changed chan struct{} // closed and replaced whenever session changes
	status  LinkStatus
}

func newKeeper(connect Connect, m Machine, log *slog.Logger, t timing) *keeper {
	return &keeper{connect: connect, machine: m, log: log, timing: t, changed: make(chan struct{}),
		status: LinkStatus{State: Connecting, Since: time.Now()}}
}

// current gives the session, nil where there is none, and a channel that closes when that changes.
func (k *keeper) current() (*session, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session, k.changed
}

// await gives the session, waiting for one until ctx ends.
func (k *keeper) await(ctx context.Context) (*session, error) {
	for {
		s, changed := k.current()
		if s != nil {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if reason := k.linkStatus().Error; reason != "" {
				return nil, fmt.Errorf("no link to %s: %s", k.machine.Addr, reason)
			}
			return nil, fmt.Errorf("no link to %s yet", k.machine.Addr)
		}
	}
}

func (k *keeper) linkStatus() LinkStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

func (k *keeper) set(s *session, state State, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.status.State != state {
		k.status.State, k.status.Since = state, time.Now()
	}
	k.status.Error = ""
	if err != nil {
		k.status.Error = err.Error()
	}
	if s != nil {
		k.status.BootID = s.link.BootID()
		k.status.Connections++
	}
	if k.session != s {
		k.session = s
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

// run connects and reconnects until ctx ends.
func (k *keeper) run(ctx context.Context) {
	pause := k.timing.backoffMin
	var said string
	var saidAt time.Time
	for ctx.Err() == nil {
		link, err := k.attempt(ctx)
		switch {
		case ctx.Err() != nil:
			if link != nil {
				k.end(link)
			}
			return
		case err != nil:
			k.set(nil, Down, err)
			if said != err.Error() || time.Since(saidAt) >= k.timing.repeat {
				k.log.Warn("cannot connect, trying on", "reason", err)
				said, saidAt = err.Error(), time.Now()
			}
		default:
			k.log.Info("connected", "boot", link.BootID())
			pause, said = k.timing.backoffMin, ""
			err := k.hold(ctx, link)
			if ctx.Err() != nil {
				return
			}
			k.log.Warn("lost, reconnecting", "reason", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, k.timing.backoffMax)
	}
}

func (k *keeper) attempt(ctx context.Context) (Link, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timing.attempt)
	defer cancel()
	return k.connect(ctx, k.machine)
}

// hold offers the link until it is lost or ctx ends, and returns why it was lost. The link is closed then.
func (k *keeper) hold(ctx context.Context, link Link) error {
	lost, lose := context.WithCancelCause(context.Background())
	s := &session{link: link, listeners: newListeners(link), lost: lost, heard: heard.New()}
	// This one is left behind where even closing the link does not end it.
	go func() {
		err := link.Wait()
		if err == nil {
			err = errors.New("the machine closed it")
		}
		lose(err)
	}()
	go s.listeners.run() // likewise
	var checking sync.WaitGroup
	checking.Go(func() { k.check(s, lose) })
	k.set(s, Up, nil)
	select {
	case <-lost.Done():
	case <-ctx.Done():
		lose(ctx.Err())
	}
	err := context.Cause(lost)
	k.set(nil, Connecting, err)
	k.end(link)
	checking.Wait()
	return err
}

// end closes a link, and leaves it to itself where that takes too long: a machine that is gone answers nothing.
func (k *keeper) end(link Link) {
	done := make(chan struct{})
	go func() { defer close(done); _ = link.Close() }()
	select {
	case <-done:
	case <-time.After(k.timing.closing):
	}
}

// check asks the machine for an answer again and again, and gives the link up when nothing at all came from it for
// too long. What comes through wires counts: behind much data an answer may be late.
func (k *keeper) check(s *session, lose context.CancelCauseFunc) {
	tick := time.NewTicker(k.timing.keepalive)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	var asking bool
	for {
		if !asking {
			asking = true
			go func() {
				if _, _, err := s.link.SendRequest("keepalive@openssh.com", true, nil); err == nil {
					s.heard.Touch()
				}
				answered <- struct{}{}
			}()
		}
		select {
		case <-s.lost.Done():
			return
		case <-tick.C:
		}
		select {
		case <-answered:
			asking = false
		default:
		}
		if silence := s.heard.Silence(); silence > k.timing.dead {
			lose(fmt.Errorf("nothing heard from the machine for %s", silence.Round(time.Second)))
			return
		}
	}
}
