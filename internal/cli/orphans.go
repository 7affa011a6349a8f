package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

// orphans are what the plan would delete because the spec has it no more. What a machine that stays needs no longer,
// what gives its name to something else, and what is not up without its profile are not among them.
func (s *session) orphans() []addr.Addr {
	names := map[string]bool{}
	for _, n := range s.nodes {
		names[n.Addr.DNS()] = true
	}
	idle := map[addr.Addr]bool{}
	for _, r := range s.spec.Idle() {
		idle[r.Addr] = true
	}
	var all []addr.Addr
	for _, op := range s.plan.Operations {
		owner := ownerOf(op.Addr)
		if op.Action == providers.Delete && !s.wants(owner) && !idle[owner] && !names[op.Addr.DNS()] {
			all = append(all, op.Addr)
		}
	}
	return all
}

// ownerOf gives the machine that a container was made for, or the resource itself.
func ownerOf(a addr.Addr) addr.Addr {
	switch a.Kind {
	case addr.Sandbox, addr.Relay, addr.Gateway:
		return a.Sibling(addr.Windows)
	}
	return a
}

// agreeOnOrphans asks, once, whether what is no longer in the spec goes. Without a yes it is left out of the plan.
func (s *session) agreeOnOrphans() error {
	orphans := s.orphans()
	if len(orphans) == 0 {
		return nil
	}
	var names []string
	for _, a := range orphans {
		if name := ownerOf(a).String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	err := s.ask(s.agreed, "Remove what is no longer in the spec: "+join(names)+"?")
	if err == nil {
		s.agreed.yes = true // also where it is planned again
		return nil
	}
	if !errors.Is(err, errNotAgreed) {
		return err
	}
	s.agreed.noInput = true
	if err := s.portsOf(orphans); err != nil {
		return err
	}
	s.plan.Leave(func(a addr.Addr) bool { return slices.Contains(orphans, a) })
	s.say("Left as it is, though no longer in the spec: %s. \"envctl up --yes\" removes it.", join(names))
	return nil
}

// portsOf fails where what is to stay holds a port of this computer that the spec gives to something else.
func (s *session) portsOf(orphans []addr.Addr) error {
	wanted := map[int]addr.Addr{}
	for _, n := range s.nodes {
		if c, ok := n.Body.(*envspec.Container); ok {
			for _, p := range c.Ports {
				wanted[p.Host] = n.Addr
			}
		}
	}
	var errs []error
	for _, o := range s.observed {
		for _, port := range o.Ports {
			if by, ok := wanted[port]; ok && slices.Contains(orphans, o.Addr) {
				errs = append(errs, fmt.Errorf("port %d, which %s is to have, is held by %s, which is no longer in the spec: \"envctl up --yes\" removes that", port, by, o.Addr))
			}
		}
	}
	return errors.Join(errs...)
}

// goes reports whether the plan takes a machine's gateway away.
func (s *session) goes(machine addr.Addr) bool {
	gateway := machine.Sibling(addr.Gateway)
	return !s.wants(machine) && slices.ContainsFunc(s.plan.Operations, func(op plan.Operation) bool { return op.Addr == gateway })
}
