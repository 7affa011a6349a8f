package providertest

import (
	"reflect"

	"github.com/envctl/envctl/providers"
)

func removeAll(r *trial) {
	start := r.left(r.Instance)
	n := r.Plain("a", 1)
	o := r.up(n)
	for range 2 { // what is gone already is no error
		r.must(r.remove(r.Context(), r.Instance, o.Addr, &o))
		if o := r.see(r.Instance, n.Addr); o != nil {
			r.Errorf("after Remove it is %+v", *o)
		}
		if left := r.left(r.Instance); left != start {
			r.Errorf("there was:\n%s\nand after Remove:\n%s", start, left)
		}
	}
	r.must(r.remove(r.Context(), r.Instance, n.Addr, nil)) // nor is what was never there
	if o := r.up(n); !whole(n, &o) {
		r.Errorf("made again, it is %+v", o)
	}
}

func removeSparesOthers(r *trial) {
	n := r.Plain("a", 1)
	r.must(r.put(r.Stranger, n))
	r.must(r.waitReady(r.Context(), providers.Change{Action: providers.Create, Instance: r.Stranger, Node: n}))
	theirs, left := r.see(r.Stranger, n.Addr), r.left(r.Stranger)
	if !whole(n, theirs) {
		r.Fatalf("the other instance has %+v", theirs)
	}
	ours := r.see(r.Instance, n.Addr)
	if r.Single {
		if ours == nil || ours.State == providers.Ready || whole(n, ours) {
			r.Errorf("what another instance has is seen as %+v", ours)
		}
		if err := r.put(r.Instance, r.Plain("a", 2)); err == nil {
			r.Error("what another instance has was changed")
		}
		r.must(r.remove(r.Context(), r.Instance, n.Addr, ours))
	} else {
		if ours != nil {
			r.Errorf("what another instance has is seen as our %+v", *ours)
		}
		for _, version := range []int{1, 2} {
			r.up(r.Plain("a", version))
		}
		ours = r.see(r.Instance, n.Addr)
		r.must(r.remove(r.Context(), r.Instance, n.Addr, ours))
	}
	if is := r.see(r.Stranger, n.Addr); !reflect.DeepEqual(is, theirs) {
		r.Errorf("the other instance had %+v, and has %+v", theirs, is)
	}
	if is := r.left(r.Stranger); is != left {
		r.Errorf("the other instance had:\n%s\nand has:\n%s", left, is)
	}
	r.must(r.remove(r.Context(), r.Stranger, n.Addr, theirs))
}
