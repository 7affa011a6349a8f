package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/providers"
)

func applyIsObserved(r *trial) {
	n := r.Plain("a", 1)
	o := r.up(n)
	if !whole(n, &o) {
		r.Errorf("observed %+v, and the node is %+v", o, n)
	}
	if o.State != providers.Ready {
		r.Errorf("it is ready, and observed as %s (%s)", o.State, o.Detail)
	}
	if !maps.Equal(o.Parts, n.Parts) || !slices.Equal(o.After, n.After) {
		r.Errorf("observed parts %v, after %v; the node's are %v, %v", o.Parts, o.After, n.Parts, n.After)
	}
	if o.Handle == "" || o.Instance.Environment != r.Instance.Environment || o.Instance.ID != r.Instance.ID {
		r.Errorf("observed handle %q of instance %+v", o.Handle, o.Instance)
	}
	if r.left(r.Instance) == "" {
		r.Error("something is there, and Left lists nothing: the world's Left sees too little")
	}
	// A run in which nothing changes waits for it too.
	c := r.change(r.Instance, n)
	c.Action = providers.None
	r.must(r.waitReady(r.Context(), c))
}

func applyAgain(r *trial) {
	n := r.Plain("a", 1)
	c := r.change(r.Instance, n)
	r.must(r.prepare(r.Context(), c))
	r.must(r.apply(r.Context(), c))
	r.must(r.apply(r.Context(), c)) // as a run does that looked before the other one was done
	r.must(r.waitReady(r.Context(), c))
	before := r.seen(n)
	if !whole(n, &before) {
		r.Errorf("observed %+v", before)
	}
	if after := r.up(n); after.Handle != before.Handle || !whole(n, &after) {
		r.Errorf("an update without a change made %+v of %+v", after, before)
	}
}

func applyUpdates(r *trial) {
	r.need("Carrying node", r.Carrying != nil)
	before := r.up(r.Carrying("a", 1))
	n := r.Carrying("a", 2)
	if whole(n, &before) {
		r.Fatalf("%+v is whole as another version too: the world's Observe or Carrying is wrong", before)
	}
	if c := r.change(r.Instance, n); c.Action != providers.Update {
		r.Fatalf("the change is to %s: the world's Carrying is wrong", c.Action)
	}
	if after := r.up(n); after.Handle != before.Handle || !whole(n, &after) || after.State != providers.Ready {
		r.Errorf("an update made %+v of %+v", after, before)
	}
}

func applyReplaces(r *trial) {
	if r.Single {
		r.Skip("a machine is never replaced")
	}
	before := r.up(r.Plain("a", 1))
	n := r.Plain("a", 2)
	if c := r.change(r.Instance, n); c.Action != providers.Replace {
		r.Fatalf("the change is to %s: the world's Plain is wrong", c.Action)
	}
	if after := r.up(n); after.Handle == before.Handle || !whole(n, &after) || after.State != providers.Ready {
		r.Errorf("replacing made %+v of %+v", after, before)
	}
}

func applyFails(r *trial) {
	start := r.left(r.Instance)
	n := r.Broken("a")
	if err := r.put(r.Instance, n); err == nil {
		r.Fatal("a node that cannot be applied was")
	}
	if o := r.see(r.Instance, n.Addr); o != nil && (whole(n, o) || o.State == providers.Ready) {
		r.Errorf("it failed, and what is there counts as whole: %+v", *o)
	}
	if err := r.put(r.Instance, n); err == nil {
		r.Error("it failed at first, and not when it was tried again")
	}
	// What is left of it is in nobody's way, whether to mend it or to take it away.
	n = r.Plain("a", 1)
	if o := r.up(n); !whole(n, &o) {
		r.Errorf("mended, it is %+v", o)
	}
	n = r.Broken("a")
	if err := r.put(r.Instance, n); err == nil {
		r.Error("a node that cannot be applied was, over one that could")
	}
	o := r.see(r.Instance, n.Addr)
	if whole(n, o) {
		r.Errorf("it failed, and what is there counts as whole: %+v", *o)
	}
	r.must(r.remove(r.Context(), r.Instance, n.Addr, o))
	if left := r.left(r.Instance); left != start {
		r.Errorf("there was:\n%s\nand after Remove:\n%s", start, left)
	}
}

func applyCutShort(r *trial) {
	start := r.left(r.Instance)
	for version, after := range []time.Duration{0, 3 * time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond, 120 * time.Millisecond, 300 * time.Millisecond} {
		n := r.Plain("a", version)
		c := r.change(r.Instance, n)
		r.must(r.prepare(r.Context(), c))
		err, _ := r.ending("Apply", after, func(ctx context.Context) error { return r.apply(ctx, c) })
		r.Logf("cut after %s: %v", after, err)
		r.honest(n, err)
		if o := r.up(n); !whole(n, &o) {
			r.Errorf("mended, it is %+v", o)
		}
	}
	o := r.seen(r.Plain("a", 0))
	r.must(r.remove(r.Context(), r.Instance, o.Addr, &o))
	if left := r.left(r.Instance); left != start {
		r.Errorf("there was:\n%s\nand after Remove:\n%s", start, left)
	}
}

// honest fails the test where Apply said of a node that it is done, or what is there counts as whole, and it is not so.
// What was cut short right at its end may be.
func (r *trial) honest(n providers.Node, err error) {
	r.Helper()
	o := r.see(r.Instance, n.Addr)
	if err == nil && !whole(n, o) {
		r.Errorf("Apply says that it is done, and there is %+v", o)
	}
	if whole(n, o) {
		if notReady := r.waitReady(r.Context(), providers.Change{Action: providers.None, Instance: r.Instance, Node: n, Observed: o}); notReady != nil {
			r.Errorf("Apply gave %v, what is there counts as whole, and is not: %v", err, notReady)
		}
	}
}

func applyCallsBeforeStart(r *trial) {
	n := r.Plain("a", 1)
	if len(n.Layers) > 0 {
		r.Skip("nothing is started that layers make")
	}
	refused := errors.New("refused by the suite")
	c := r.change(r.Instance, n)
	r.must(r.prepare(r.Context(), c))
	called := 0
	c.BeforeStart = func(_ context.Context, o providers.Observed) error {
		called++
		is := r.seen(n)
		if o.Handle != is.Handle || o.Addr != n.Addr || is.State == providers.Ready || whole(n, &is) {
			r.Errorf("before its start it is %+v, and said to be %+v", is, o)
		}
		return refused
	}
	if err := r.apply(r.Context(), c); called != 1 || err == nil || !strings.Contains(err.Error(), refused.Error()) {
		r.Errorf("called %d times, error %v", called, err)
	}
	if o := r.see(r.Instance, n.Addr); whole(n, o) {
		r.Errorf("it failed, and what is there counts as whole: %+v", *o)
	}
}

func allAtOnce(r *trial) {
	const several = 6
	start := r.left(r.Instance)
	var all sync.WaitGroup
	if r.Single {
		n := r.Plain("a", 1)
		r.up(n)
		c := r.change(r.Instance, n)
		for range several {
			all.Go(func() {
				if err := errors.Join(r.prepare(r.Context(), c), r.waitReady(r.Context(), c)); err != nil {
					r.Error(err)
				}
				if _, err := r.Observe(r.Context(), r.Instance); err != nil {
					r.Error(err)
				}
			})
		}
		all.Wait()
		return
	}
	for i := range several {
		all.Go(func() {
			n := r.Plain(fmt.Sprintf("node-%d", i), 1)
			c := providers.Change{Action: providers.Create, Instance: r.Instance, Node: n}
			for _, do := range []func(context.Context, providers.Change) error{r.prepare, r.apply, r.waitReady} {
				if err := do(r.Context(), c); err != nil {
					r.Errorf("%s: %v", n.Addr, err)
					return
				}
			}
			o, err := r.find(r.Instance, n.Addr)
			if err != nil || !whole(n, o) {
				r.Errorf("%s is %+v, %v", n.Addr, o, err)
				return
			}
			if err := r.remove(r.Context(), r.Instance, n.Addr, o); err != nil {
				r.Errorf("%s: %v", n.Addr, err)
			}
		})
	}
	all.Wait()
	if left := r.left(r.Instance); left != start {
		r.Errorf("there was:\n%s\nand after all were removed:\n%s", start, left)
	}
}
