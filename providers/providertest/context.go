package providertest

import (
	"context"
	"time"

	"github.com/envctl/envctl/providers"
)

func endsPrepare(r *trial) {
	r.need("node with a slow Prepare", r.SlowPrepare != nil)
	n := r.SlowPrepare("a")
	c := r.change(r.Instance, n)
	r.cut("Prepare", func(ctx context.Context) error { return r.prepare(ctx, c) })
	if o := r.see(r.Instance, n.Addr); o != nil {
		r.Errorf("after Prepare there is %+v", *o)
	}
}

func endsApply(r *trial) {
	n := r.Plain("a", 1)
	if r.SlowApply != nil {
		n = r.SlowApply("a")
	}
	c := r.change(r.Instance, n)
	if r.SlowApply == nil {
		c.BeforeStart = func(ctx context.Context, _ providers.Observed) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
	}
	r.must(r.prepare(r.Context(), c))
	r.cut("Apply", func(ctx context.Context) error { return r.apply(ctx, c) })
	if o := r.see(r.Instance, n.Addr); whole(n, o) {
		r.Errorf("it was cut short, and what is there counts as whole: %+v", *o)
	}
}

func endsWaitReady(r *trial) {
	n := r.NeverReady("a", time.Hour)
	r.must(r.put(r.Instance, n))
	c := r.change(r.Instance, n)
	r.cut("WaitReady", func(ctx context.Context) error { return r.waitReady(ctx, c) })
}

func endsRemove(r *trial) {
	r.need("node with a slow Remove", r.SlowRemove != nil)
	o := r.up(r.SlowRemove("a"))
	r.cut("Remove", func(ctx context.Context) error { return r.remove(ctx, r.Instance, o.Addr, &o) })
}

// endedBefore calls each method with a context that has ended: it may still do what it has to do, if that is soon, but
// not say that it did and not have done it.
func endedBefore(r *trial) {
	n := r.Plain("a", 1)
	ended := func(what string, f func(ctx context.Context) error) error {
		err, _ := r.ending(what, 0, f)
		return err
	}
	c := r.change(r.Instance, n)
	_ = ended("Prepare", func(ctx context.Context) error { return r.prepare(ctx, c) }) // whether it had to do something or not
	r.honest(n, ended("Apply", func(ctx context.Context) error { return r.apply(ctx, c) }))
	o := r.up(n)
	never := r.NeverReady("b", time.Hour)
	if r.Single {
		never = r.NeverReady("a", time.Hour)
	}
	r.must(r.put(r.Instance, never))
	wait := providers.Change{Action: providers.Create, Instance: r.Instance, Node: never}
	if ended("WaitReady", func(ctx context.Context) error { return r.waitReady(ctx, wait) }) == nil {
		r.Error("what is never ready was")
	}
	err := ended("Remove", func(ctx context.Context) error { return r.remove(ctx, r.Instance, o.Addr, &o) })
	if is := r.see(r.Instance, n.Addr); err == nil && is != nil {
		r.Errorf("Remove says that it is done, and there is %+v", *is)
	}
}
