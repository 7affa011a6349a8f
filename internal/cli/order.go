package cli

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// containers finds what of an instance a person means that is a container: all, or those named. A Windows
// machine stands for the containers that were made for it.
func containers(is map[addr.Addr]providers.Observed, all []addr.Addr, names []string) ([]providers.Observed, error) {
	var found []providers.Observed
	add := func(a addr.Addr) {
		if o, ok := is[a]; ok && !slices.ContainsFunc(found, func(f providers.Observed) bool { return f.Addr == a }) {
			found = append(found, o)
		}
	}
	if len(names) == 0 {
		for _, a := range all {
			if a.Kind != addr.Job || is[a].State != providers.Ready { // what is done is not done again
				add(a)
			}
		}
	}
	for _, name := range names {
		meant, err := pickAll(all, name)
		if err != nil {
			return nil, err
		}
		for _, a := range meant {
			if a.Kind != addr.Windows {
				add(a)
				continue
			}
			for _, k := range []addr.Kind{addr.Sandbox, addr.Relay, addr.Gateway} {
				add(a.Sibling(k))
			}
		}
	}
	return found, nil
}

// inOrder does something to each, those that it comes after first, and what is independent at once. A machine stands
// between what is made for it and what comes after it, although no container is one. Where something failed,
// what comes after it is not begun.
func inOrder(ctx context.Context, all []providers.Observed, do func(context.Context, providers.Observed) error) error {
	after := make(map[addr.Addr][]addr.Addr, len(all))
	for _, o := range all {
		after[o.Addr] = through(o.After)
	}
	return walk(ctx, all, after, do)
}

// inReverse is inOrder with what comes after something first.
func inReverse(ctx context.Context, all []providers.Observed, do func(context.Context, providers.Observed) error) error {
	before := make(map[addr.Addr][]addr.Addr, len(all))
	for _, o := range all {
		for _, a := range through(o.After) {
			before[a] = append(before[a], o.Addr)
		}
	}
	return walk(ctx, all, before, do)
}

// through puts a machine's gateway in the place of the machine.
func through(after []addr.Addr) []addr.Addr {
	out := slices.Clone(after)
	for i, a := range out {
		if a.Kind == addr.Windows {
			out[i] = a.Sibling(addr.Gateway)
		}
	}
	return out
}

func walk(ctx context.Context, all []providers.Observed, first map[addr.Addr][]addr.Addr, do func(context.Context, providers.Observed) error) error {
	first = acyclic(all, first)
	done := make(map[addr.Addr]chan struct{}, len(all))
	for _, o := range all {
		done[o.Addr] = make(chan struct{})
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range all {
		g.Go(func() error {
			for _, a := range first[o.Addr] {
				ended, here := done[a]
				if !here {
					continue
				}
				select {
				case <-ended:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			if err := do(ctx, o); err != nil {
				return fmt.Errorf("%s: %w", o.Addr, err)
			}
			close(done[o.Addr])
			return nil
		})
	}
	return g.Wait()
}

// acyclic leaves out what would make somebody wait for himself: labels were written at different times, and a
// dependency may have been turned round in between.
func acyclic(all []providers.Observed, first map[addr.Addr][]addr.Addr) map[addr.Addr][]addr.Addr {
	kept := make(map[addr.Addr][]addr.Addr, len(first))
	const entered, left = 1, 2
	state := make(map[addr.Addr]int, len(all))
	var visit func(a addr.Addr)
	visit = func(a addr.Addr) {
		state[a] = entered
		for _, b := range first[a] {
			if state[b] == entered {
				continue
			}
			if state[b] == 0 {
				visit(b)
			}
			kept[a] = append(kept[a], b)
		}
		state[a] = left
	}
	for _, o := range all {
		if state[o.Addr] == 0 {
			visit(o.Addr)
		}
	}
	return kept
}
