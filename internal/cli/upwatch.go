package cli

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/internal/watch"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// watching is up --watch: from before the first up until Ctrl-C.
type watching struct {
	*session               // the one that began it, whose connection to the engine is used throughout
	doing    chan struct{} // holds one while an up of ours or a restart goes on
	rebuild  chan struct{} // holds one: however many changes call for it, one up does for all

	mu       sync.Mutex
	sink     event.Sink // nil during the first up; then it is not changed
	followed map[addr.Addr]*followed
	held     []event.Event // while a live view has the screen
	holding  bool
	agreed   consent // for the ups in its midst, which ask nothing
}

// mostHeld is how many events wait for the screen.
const mostHeld = 1000

// newWatching is for who is about to begin the first up.
func newWatching(s *session) *watching {
	w := &watching{session: s, doing: make(chan struct{}, 1), rebuild: make(chan struct{}, 1), followed: map[addr.Addr]*followed{},
		agreed: consent{yes: s.agreed.yes, noInput: true}}
	w.doing <- struct{}{}
	return w
}

// turn waits until nothing of ours changes the instance, and gives false where ctx ends first. With true, done is to be called.
func (w *watching) turn(ctx context.Context) bool {
	select {
	case w.doing <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *watching) done() { <-w.doing }

// close ends all that was begun, and waits for it.
func (w *watching) close() {
	for _, f := range w.all() {
		f.close()
	}
}

func (w *watching) all() []*followed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.followed))
}

func (w *watching) of(a addr.Addr) *followed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.followed[a]
}

// follow makes the containers of a plan that is about to be carried out be followed, as the spec has them now, and the
// engine bring their files over.
func (w *watching) follow(s *session) error {
	wanted := map[addr.Addr]*envspec.Container{}
	for _, c := range s.standIns.Containers {
		if len(c.Watch) > 0 {
			wanted[c.Addr] = c
		}
	}
	if len(wanted) == 0 {
		return errors.New(`nothing to watch: no container here has a watch block; give one "watch { paths = [\"src\"], sync = \"/app\" }", an argument a line`)
	}
	due := map[addr.Addr]bool{}
	for _, f := range w.all() {
		if c := wanted[f.addr]; c == nil || !reflect.DeepEqual(c.Watch, f.body.Watch) || !reflect.DeepEqual(c.Build, f.body.Build) {
			due[f.addr] = f.close()
			w.mu.Lock()
			delete(w.followed, f.addr)
			w.mu.Unlock()
		}
	}
	for a, c := range wanted {
		node := s.nodes[slices.IndexFunc(s.nodes, func(n providers.Node) bool { return n.Addr == a })]
		if f := w.of(a); f != nil {
			f.mu.Lock()
			f.body, f.node = c, node
			f.mu.Unlock()
			continue
		}
		f, err := newFollowed(w, c, node, due[a])
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.followed[a] = f
		w.mu.Unlock()
	}
	s.engine.Providers[addr.Container] = following{s.docker, w}
	return nil
}

// following is the provider of containers while they are watched: files go in before a container starts, and one is
// ready only when they are all in it.
type following struct {
	*docker.Provider
	w *watching
}

// Apply implements providers.Provider.
func (p following) Apply(ctx context.Context, c providers.Change, report event.Sink) error {
	if f := p.w.of(c.Node.Addr); f != nil {
		c.BeforeStart = func(ctx context.Context, o providers.Observed) error {
			f.first(ctx, o, report)
			return nil
		}
	}
	return p.Provider.Apply(ctx, c, report)
}

// WaitReady implements providers.Provider.
func (p following) WaitReady(ctx context.Context, c providers.Change, report event.Sink) error {
	f := p.w.of(c.Node.Addr)
	if f == nil || c.Action == providers.Delete {
		return p.Provider.WaitReady(ctx, c, report)
	}
	o := f.is()
	if c.Action == providers.None && c.Observed != nil {
		o = *c.Observed
	}
	if o.Handle != "" && f.first(ctx, o, report).Restart {
		if err := errors.Join(p.Stop(p.w.interrupts.now, o), p.Start(p.w.interrupts.now, o)); err != nil {
			return err
		}
		report(event.Event{Type: event.Restarted})
		o.State = providers.Starting
		c.Observed = &o
	}
	return p.Provider.WaitReady(ctx, c, report)
}

// run follows changes until ctx ends.
func (w *watching) run(ctx context.Context) error {
	var addrs []addr.Addr
	for _, n := range w.nodes {
		addrs = append(addrs, n.Addr)
	}
	sink := view.Plain(w.Err, w.color(), addrs).Event
	switch {
	case w.stream != nil:
		sink = w.stream.Event
	case w.quiet:
		sink = view.Quiet(w.Err, w.color()).Event
	}
	w.mu.Lock()
	w.sink = sink
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var comings sync.WaitGroup
	comings.Go(func() {
		w.docker.Comings(ctx, w.instance, func() {
			for _, f := range w.all() {
				f.listener.Poke()
			}
		})
	})
	defer comings.Wait()
	defer cancel()
	w.done()
	w.show(event.Event{Type: event.Watching, Message: "for changes; Ctrl-C ends it, and what is up stays up"})
	w.release()
	for {
		select {
		case <-ctx.Done():
			w.say("No longer watching. What is up stays up; \"envctl down\" takes it away.")
			return nil // Ctrl-C is how watching ends
		case <-w.rebuild:
			if err := w.again(ctx); err != nil {
				return err
			}
		}
	}
}

// again is an up in the midst of it, with the spec as it is now. Only being interrupted ends the watching.
func (w *watching) again(ctx context.Context) error {
	if !w.turn(ctx) {
		return nil
	}
	defer w.done()
	w.hold()
	defer w.release()
	w.app.rebuild = false // it was for the first up
	s, err := w.app.open()
	if err == nil {
		s.watching, s.agreed = w, w.agreed
		err = errors.Join(s.up(nil), s.close())
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		w.show(event.Event{Type: event.Failed, Error: err.Error() + "\nStill watching."})
	} else {
		w.show(event.Event{Type: event.Watching, Message: "for changes"})
	}
	return nil
}

// show tells what happened, when the screen is free.
func (w *watching) show(e event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sink != nil && !w.holding {
		w.sink(e)
	} else if len(w.held) < mostHeld {
		w.held = append(w.held, e)
	}
}

func (w *watching) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = true
}

func (w *watching) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = false
	for _, e := range w.held {
		w.sink(e)
	}
	w.held = nil
}

// files is a container as watch brings files to it.
type files struct {
	*docker.Provider
	o    providers.Observed
	body *envspec.Container
	help func() ([]byte, error)
}

var _ watch.Container = files{}
