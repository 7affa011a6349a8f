package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// pick finds the one resource that a person means by a whole address, or by a name that no other has. An address
// may lack its quotation marks, which a shell takes out where they are not quoted themselves.
func pick(all []addr.Addr, name string) (addr.Addr, error) {
	var found []addr.Addr
	for _, a := range all {
		if a.String() == name || a.Key != "" && strings.ReplaceAll(a.String(), `"`, "") == name {
			return a, nil
		}
		if a.Name == name && (a.Kind == addr.Container || a.Kind == addr.Job || a.Kind == addr.Windows) {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return addr.Addr{}, fmt.Errorf("there is no %q here; there is %s", name, list(all))
	}
	return addr.Addr{}, fmt.Errorf("%q may be %s; give the whole address", name, list(found))
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
