package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// pick finds the one resource that a person means by a whole address, or by a name that no other has.
func pick(all []addr.Addr, name string) (addr.Addr, error) {
	found, err := pickAll(all, name)
	switch {
	case err != nil:
		return addr.Addr{}, err
	case len(found) > 1:
		return addr.Addr{}, severalError(name, found)
	}
	return found[0], nil
}

// pickAll finds what a person means where it may be several: all that one block with for_each makes, by the block's
// name or address. An address may lack its quotation marks, which a shell takes out where they are not quoted themselves.
func pickAll(all []addr.Addr, name string) ([]addr.Addr, error) {
	var found []addr.Addr
	for _, a := range all {
		if a.String() == name || a.Key != "" && strings.ReplaceAll(a.String(), `"`, "") == name {
			return []addr.Addr{a}, nil
		}
		if blockOf(a).String() == name || a.Name == name && (a.Kind == addr.Container || a.Kind == addr.Job || a.Kind == addr.Windows) {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no %q here; there is %s", name, list(all))
	}
	if slices.ContainsFunc(found, func(a addr.Addr) bool { return blockOf(a) != blockOf(found[0]) }) {
		return nil, severalError(name, found)
	}
	return found, nil
}

// blockOf is the address of the block that makes a resource, as one of several where it has for_each.
func blockOf(a addr.Addr) addr.Addr {
	a.Key = ""
	return a
}

func severalError(name string, found []addr.Addr) error {
	return fmt.Errorf("%q may be %s; give the whole address", name, list(found))
}

func list(as []addr.Addr) string {
	if len(as) == 0 {
		return "nothing"
	}
	names := make([]string, len(as))
	for i, a := range as {
		names[i] = a.String()
	}
	slices.Sort(names)
	return join(names)
}

func join(names []string) string { return strings.Join(names, ", ") }

// here lists what of an instance's resources is on the engine, its Windows machines included.
func (s *session) here(ctx context.Context) (map[addr.Addr]providers.Observed, []addr.Addr, error) {
	if err := s.observe(ctx); err != nil {
		return nil, nil, err
	}
	if len(s.observed) == 0 {
		return nil, nil, errNothingThere
	}
	is := make(map[addr.Addr]providers.Observed, len(s.observed))
	var all []addr.Addr
	for _, o := range s.observed {
		if o.Addr.Kind == addr.Network {
			continue
		}
		is[o.Addr] = o
		all = append(all, o.Addr)
		if o.Addr.Kind == addr.Gateway {
			all = append(all, o.Addr.Sibling(addr.Windows))
		}
	}
	return is, all, nil
}

// one finds the resource that a person means among those that are here.
func (s *session) one(ctx context.Context, name string) (addr.Addr, providers.Observed, error) {
	is, all, err := s.here(ctx)
	if err != nil {
		return addr.Addr{}, providers.Observed{}, err
	}
	a, err := pick(all, name)
	return a, is[a], err
}
