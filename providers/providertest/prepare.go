package providertest

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/envctl/envctl/providers"
)

func prepareChangesNothing(r *trial) {
	r.up(r.Plain("a", 1))
	before, left := r.all(), r.left(r.Instance)
	r.must(r.prepare(r.Context(), r.change(r.Instance, r.Plain("a", 2))))
	r.must(r.prepare(r.Context(), r.change(r.Instance, r.Plain("b", 1))))
	r.must(r.prepare(r.Context(), r.change(r.Stranger, r.Plain("a", 1))))
	if r.Costly != nil {
		r.must(r.prepare(r.Context(), r.change(r.Instance, r.Costly("a"))))
	}
	if after := r.all(); !reflect.DeepEqual(before, after) {
		r.Errorf("observed before Prepare:\n%+v\nand after it:\n%+v", before, after)
	}
	if after := r.left(r.Instance); after != left {
		r.Errorf("there was before Prepare:\n%s\nand after it:\n%s", left, after)
	}
}

func prepareAtOnce(r *trial) {
	nodes := []providers.Node{}
	for i := range 6 {
		nodes = append(nodes, r.Plain(fmt.Sprintf("plain-%d", i), 1))
		if r.Costly != nil {
			nodes = append(nodes, r.Costly("costly"), r.Costly(fmt.Sprintf("costly-%d", i%2)))
		}
	}
	left := r.left(r.Instance)
	var changes []providers.Change
	for _, n := range nodes {
		changes = append(changes, r.change(r.Instance, n))
	}
	var all sync.WaitGroup
	for _, c := range changes {
		all.Go(func() {
			if err := r.prepare(r.Context(), c); err != nil {
				r.Errorf("%s: %v", c.Node.Addr, err)
			}
		})
	}
	all.Wait()
	if after := r.left(r.Instance); after != left {
		r.Errorf("there was before Prepare:\n%s\nand after it:\n%s", left, after)
	}
}
