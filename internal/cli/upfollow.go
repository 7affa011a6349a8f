package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/internal/watch"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// followed is one container that files are brought to.
type followed struct {
	w        *watching
	addr     addr.Addr
	rules    *watch.Rules
	listener *watch.Watcher
	cancel   context.CancelFunc
	ended    chan struct{}
	ready    func() // ends the wait for a restart to be ready; the loop's own
	said     string // the last error that was shown, which is not said twice; the loop's own

	mu     sync.Mutex
	body   *envspec.Container
	node   providers.Node
	o      providers.Observed
	mirror *watch.Mirror // nil until there is a container
	due    bool          // a restart that was called for and did not come to its turn
}

// newFollowed begins to listen, so that nothing is missed from now on.
func newFollowed(w *watching, body *envspec.Container, node providers.Node, due bool) (*followed, error) {
	rules, err := watch.New(body.Watch, body.Build)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", body.Addr, err)
	}
	listener, err := watch.Listen(rules)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", body.Addr, err)
	}
	ctx, cancel := context.WithCancel(w.interrupts.stop)
	f := &followed{
		w: w, addr: body.Addr, rules: rules, listener: listener, cancel: cancel, ended: make(chan struct{}),
		ready: func() {}, body: body, node: node, due: due,
	}
	go func() {
		defer close(f.ended)
		f.run(ctx)
	}()
	return f, nil
}

// close ends it, and reports whether a restart is due.
func (f *followed) close() (due bool) {
	f.cancel()
	<-f.ended
	_ = f.listener.Close() // it only reads
	return f.due
}

func (f *followed) is() providers.Observed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.o
}

// adopt turns to a container: another one has nothing of what was brought before. It is called with mu held.
func (f *followed) adopt(o providers.Observed) {
	if f.mirror == nil || f.o.Handle != o.Handle {
		f.mirror = watch.NewMirror(f.rules, files{f.w.docker, o, f.body, f.w.remover})
	}
	f.o = o
}

// first brings everything over, in the course of an up. What fails is a warning: it is tried again with the next change.
func (f *followed) first(ctx context.Context, o providers.Observed, report event.Sink) watch.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.adopt(o)
	began := time.Now()
	r, err := f.mirror.Batch(ctx, watch.Batch{})
	r.Restart, f.due = r.Restart || f.due, false
	if err != nil {
		report(event.Event{Type: event.Warning, Message: "watch: " + err.Error()})
	}
	if e, any := synced(r, began); any {
		report(e)
	}
	return r
}

// run brings changes over until ctx ends.
func (f *followed) run(ctx context.Context) {
	defer func() { f.ready() }()
	for {
		b, err := f.listener.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		f.fail(err)
		r, err := f.bring(ctx, b)
		if ctx.Err() != nil {
			f.owe(r.Restart)
			return
		}
		f.fail(err)
		switch {
		case r.Rebuild:
			f.ready()
			f.show(event.Event{Type: event.Rebuild, Message: r.Why + " changed"})
			select {
			case f.w.rebuild <- struct{}{}:
			default: // one is called for already
			}
		case r.Restart:
			f.fail(f.restart(ctx, r.Why))
		}
	}
}

func (f *followed) show(e event.Event) { event.Sink(f.w.show).For(f.addr)(e) }

// fail shows an error, unless it is the one that was shown last. Nil is none.
func (f *followed) fail(err error) {
	switch {
	case err == nil || errors.Is(err, context.Canceled):
	case err.Error() != f.said:
		f.said = err.Error()
		f.show(event.Event{Type: event.Failed, Error: f.said})
	}
}

// bring brings a batch over.
func (f *followed) bring(ctx context.Context, b watch.Batch) (watch.Result, error) {
	if b.Poked {
		if err := f.find(ctx); err != nil {
			f.listener.Again(b)
			return watch.Result{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mirror == nil {
		return watch.Result{}, nil // an up is about to make it, and brings everything over
	}
	began := time.Now()
	r, err := f.mirror.Batch(ctx, b)
	if err != nil {
		f.listener.Again(b)
	} else {
		f.said = ""
	}
	if e, any := synced(r, began); any {
		f.show(e)
	}
	return r, err
}

// find looks for the container, which may be another one by now.
func (f *followed) find(ctx context.Context) error {
	all, err := f.w.docker.Observe(ctx, f.w.instance)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Addr == f.addr && o.Detail != providers.Incomplete {
			f.mu.Lock()
			f.adopt(o)
			f.mu.Unlock()
		}
	}
	return nil
}

// restart ends the container and starts it again, and says when it is ready. That is not waited for: the next change
// may be what makes it so.
func (f *followed) restart(ctx context.Context, why string) error {
	f.ready()
	o := f.is()
	if !f.w.turn(ctx) {
		f.owe(true) // followed no longer, as by an up of ours whose turn it is
		return nil
	}
	defer f.w.done()
	if ctx.Err() != nil || f.is().Handle != o.Handle {
		return nil // an up of ours made another one
	}
	held, err := f.w.lockInstance(ctx, f.w.instance)
	if err != nil {
		return err
	}
	began := time.Now()
	err = errors.Join(f.w.docker.Stop(f.w.interrupts.now, o), f.w.docker.Start(f.w.interrupts.now, o), held.Release())
	if err != nil {
		return goneError(f.addr, err)
	}
	f.mu.Lock()
	node := f.node
	f.mu.Unlock()
	o.State = providers.Starting
	wctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	f.ready = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		err := f.w.docker.WaitReady(wctx, providers.Change{Action: providers.None, Instance: f.w.instance, Node: node, Observed: &o}, func(event.Event) {})
		switch {
		case wctx.Err() != nil:
		case err != nil:
			f.show(event.Event{Type: event.Failed, Error: err.Error()})
		default:
			f.show(event.Event{Type: event.Restarted, Message: why + " changed", Seconds: time.Since(began).Seconds()})
		}
	}()
	return nil
}

// owe leaves a restart to whoever follows the container next.
func (f *followed) owe(restart bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.due = f.due || restart
}

// synced is the event of what was brought over; false where that is nothing.
func synced(r watch.Result, began time.Time) (event.Event, bool) {
	var did []string
	if r.Put > 0 {
		did = append(did, fmt.Sprintf("%d file(s), %s", r.Put, view.Size(r.Bytes)))
	}
	if r.Deleted > 0 {
		did = append(did, fmt.Sprintf("%d deleted", r.Deleted))
	}
	return event.Event{
		Type: event.Synced, Message: join(did), Current: int64(r.Put + r.Deleted), Seconds: time.Since(began).Seconds(),
	}, len(did) > 0
}

// goneError says what to do about a container that somebody removed.
func goneError(a addr.Addr, err error) error {
	if err != nil && strings.Contains(err.Error(), "No such container: ") {
		return fmt.Errorf("%s is gone; \"envctl up\" makes it again, and then it is synced", a)
	}
	return err
}

// remover is the helper that deletes files in a container that has nothing for it.
func (w *world) remover() ([]byte, error) {
	h, err := w.helpers(w.interrupts.now)
	if err != nil {
		return nil, err
	}
	return h.Node.Bytes()
}

// Archive implements watch.Container, as the other methods do.
func (c files) Archive(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := c.Provider.Archive(ctx, c.o, path)
	return r, goneError(c.o.Addr, err)
}

func (c files) Root(path string) string { return docker.UnpackRoot(c.body, path) }

func (c files) Unpack(ctx context.Context, root string, archive io.Reader) error {
	return goneError(c.o.Addr, c.Provider.Unpack(ctx, c.o, root, archive))
}

func (c files) Delete(ctx context.Context, paths []string) error {
	err := c.Provider.Delete(ctx, c.o, c.Root(paths[0]), paths, c.help)
	if _, stopped := errors.AsType[*docker.NotRunningError](err); stopped {
		return fmt.Errorf("%w: %w", watch.ErrNotRunning, err)
	}
	return goneError(c.o.Addr, err)
}
