package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// trial is one subtest in its world. All that a provider says passes through it, and is searched for the secret.
type trial struct {
	*testing.T
	*World
	soon time.Duration
}

// errEnded is why contexts end that the suite ends.
var errEnded = errors.New("the suite ended the context")

func (r *trial) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// need skips where the provider's test has no such node or command.
func (r *trial) need(what string, there bool) {
	r.Helper()
	if !there {
		r.Skipf("the provider's test has no %s to try this with", what)
	}
}

// hide fails the test where a text gives the secret away.
func (r *trial) hide(where, text string) {
	r.Helper()
	if i := strings.Index(text, Secret); i >= 0 {
		r.Errorf("the secret is in %s: %s", where, text[max(0, i-200):min(len(text), i+100)])
	}
}

type method func(context.Context, providers.Change, event.Sink) error

func (r *trial) call(ctx context.Context, name string, m method, c providers.Change) error {
	var returned atomic.Bool
	err := m(ctx, c, func(e event.Event) {
		if returned.Load() {
			r.Errorf("%s had returned and reported %+v", name, e)
		}
		r.hide("an event of "+name, fmt.Sprintf("%+v", e))
	})
	returned.Store(true)
	if err != nil {
		r.hide("an error of "+name, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	return err
}

func (r *trial) prepare(ctx context.Context, c providers.Change) error {
	return r.call(ctx, "Prepare", r.Provider.Prepare, c)
}

func (r *trial) apply(ctx context.Context, c providers.Change) error {
	return r.call(ctx, "Apply", r.Provider.Apply, c)
}

func (r *trial) waitReady(ctx context.Context, c providers.Change) error {
	return r.call(ctx, "WaitReady", r.Provider.WaitReady, c)
}

// remove takes away what is at an address, o, which is nil where nothing is.
func (r *trial) remove(ctx context.Context, i providers.Instance, a addr.Addr, o *providers.Observed) error {
	return r.call(ctx, "Remove", r.Provider.Remove, providers.Change{
		Action: providers.Delete, Instance: i, Node: providers.Node{Addr: a}, Observed: o})
}

// list tells how an instance is, what is missing left out.
func (r *trial) list(i providers.Instance) ([]providers.Observed, error) {
	all, err := r.Observe(r.Context(), i)
	for _, o := range all {
		o.Carried = nil // contents, which nobody shows
		r.hide("what is observed", fmt.Sprintf("%+v %+v", o, o.Manifest))
	}
	return slices.DeleteFunc(all, func(o providers.Observed) bool { return o.State == providers.Missing }), err
}

// find gives a resource as it is, or nil where it is not there.
func (r *trial) find(i providers.Instance, a addr.Addr) (*providers.Observed, error) {
	all, err := r.list(i)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(o providers.Observed) bool { return o.Addr != a })
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return &all[0], nil
	}
	return nil, fmt.Errorf("%s is observed %d times: %+v", a, len(all), all)
}

// see is find where failing to ends the test.
func (r *trial) see(i providers.Instance, a addr.Addr) *providers.Observed {
	r.Helper()
	o, err := r.find(i, a)
	r.must(err)
	return o
}

// seen is see of what has to be there.
func (r *trial) seen(n providers.Node) providers.Observed {
	r.Helper()
	o := r.see(r.Instance, n.Addr)
	if o == nil {
		r.Fatalf("%s is not there", n.Addr)
	}
	return *o
}

// left lists what an instance has, in a form that can be compared.
func (r *trial) left(i providers.Instance) string {
	r.Helper()
	all, err := r.Left(r.Context(), i)
	r.must(err)
	slices.Sort(all)
	text := strings.Join(all, "\n")
	r.hide("what can be read of what is there", text)
	return text
}

// whole reports whether a plan takes what is there for the node as it should be, so that nothing needs to be made anew.
func whole(n providers.Node, o *providers.Observed) bool {
	switch {
	case o == nil:
		return false
	case len(n.Layers) == 0:
		return o.Identity == n.Identity && o.Mutable == n.Mutable && o.Detail != providers.Incomplete
	case o.Manifest == nil || len(o.Manifest.Layers) != len(n.Layers) || len(o.Drifted) > 0:
		return false
	}
	for i, l := range o.Manifest.Layers {
		if l.Hash != n.Layers[i].Hash || !l.Complete {
			return false
		}
	}
	return true
}

// change is what a plan asks for to bring what is there to n.
func (r *trial) change(i providers.Instance, n providers.Node) providers.Change {
	r.Helper()
	c := providers.Change{Action: providers.Create, Instance: i, Node: n, Observed: r.see(i, n.Addr)}
	switch {
	case len(n.Layers) > 0:
		c.Action, c.Keep = providers.Update, providers.KeepUnknown
	case c.Observed == nil:
	case c.Observed.Identity != n.Identity || c.Observed.Detail == providers.Incomplete:
		c.Action = providers.Replace
	default:
		c.Action = providers.Update
	}
	return c
}

// put brings an instance to n, but does not wait for it.
func (r *trial) put(i providers.Instance, n providers.Node) error {
	r.Helper()
	c := r.change(i, n)
	if err := r.prepare(r.Context(), c); err != nil {
		return err
	}
	return r.apply(r.Context(), c)
}

// up brings the instance to n and waits until it is ready, as an engine does.
func (r *trial) up(n providers.Node) providers.Observed {
	r.Helper()
	r.must(r.put(r.Instance, n))
	r.must(r.waitReady(r.Context(), r.change(r.Instance, n)))
	return r.seen(n)
}

// ending runs f with a context that ends after a while, or has ended, and fails the test where f goes on for long after it.
func (r *trial) ending(what string, after time.Duration, f func(ctx context.Context) error) (err error, cut bool) {
	r.Helper()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	var ended atomic.Int64
	end := func() {
		ended.Store(time.Now().UnixNano())
		cancel(errEnded)
	}
	if after <= 0 {
		end()
	} else {
		defer time.AfterFunc(after, end).Stop()
	}
	err = f(ctx)
	at := ended.Load()
	if at == 0 {
		return err, false
	}
	if err != nil && !errors.Is(err, errEnded) {
		r.Errorf("%s gives another error than its context's cause: %v", what, err)
	}
	if took := time.Since(time.Unix(0, at)); took > r.soon {
		r.Errorf("%s returned %s after its context ended, which is not within %s", what, took.Round(time.Millisecond), r.soon)
	}
	return err, true
}

// cut is ending for what takes minutes by itself: it must not end before its context, and not well.
func (r *trial) cut(what string, f func(ctx context.Context) error) {
	r.Helper()
	err, cut := r.ending(what, midway, f)
	switch {
	case !cut:
		r.Errorf("%s was to take minutes, and returned at once: %v", what, err)
	case err == nil:
		r.Errorf("%s says it is done, and its context ended in the middle", what)
	}
}

// midway is a time after which what takes minutes is under way.
const midway = 500 * time.Millisecond

// all is list of the instance where failing to ends the test.
func (r *trial) all() []providers.Observed {
	r.Helper()
	all, err := r.list(r.Instance)
	r.must(err)
	return all
}
