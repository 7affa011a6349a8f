package cli

import (
	"context"
	"fmt"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// observeMachines asks the Windows machines themselves. One that is not there yet is not asked, and
// one that does not run is said to be out of reach.
func (s *session) observeMachines(ctx context.Context) ([]providers.Observed, error) {
	is := make(map[addr.Addr]providers.Observed, len(s.observed))
	for _, o := range s.observed {
		is[o.Addr] = o
	}
	var ask []*envspec.Machine
	var seen []providers.Observed
	for _, n := range s.nodes {
		m, ok := n.Body.(*envspec.Machine)
		if !ok {
			continue
		}
		if m.Sandbox {
			box, there := is[m.Addr.Sibling(addr.Sandbox)]
			switch {
			case !there:
				continue
			case box.State != providers.Ready && box.State != providers.Starting:
				seen = append(seen, providers.Observed{Addr: m.Addr, State: providers.Unreachable, Detail: "its sandbox is " + string(box.State)})
				continue
			}
		}
		m, err := s.withPassword(m)
		if err != nil {
			return nil, err
		}
		if m != nil {
			ask = append(ask, m)
		}
	}
	asked, err := s.windows.Observe(ctx, s.instance, ask)
	return append(seen, asked...), err
}

// withPassword gives a machine as it can be talked to. It is nil where the machine's password is yet to
// be made, so that nothing can be there.
func (s *session) withPassword(m *envspec.Machine) (*envspec.Machine, error) {
	c := *m
	if m.Sandbox {
		id, ok, err := s.identities.existing(m.Addr)
		if err != nil || !ok {
			return nil, err
		}
		c.WinRM.User, c.WinRM.Password, c.WinRM.Fingerprint = id.User, id.Password, id.Fingerprint
		return &c, nil
	}
	v, there, err := s.secrets.Existing(s.interrupts.stop, m.WinRM.Credential)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Addr, err)
	}
	if !there {
		return nil, nil
	}
	c.WinRM.User, c.WinRM.Password.Value = v.Username, v.Password
	return &c, nil
}

// machine gives a Windows machine of the spec as it can be talked to.
func (s *session) machine(a addr.Addr) (*envspec.Machine, error) {
	for _, n := range s.nodes {
		if m, ok := n.Body.(*envspec.Machine); ok && n.Addr == a {
			m, err := s.withPassword(m)
			if m == nil && err == nil {
				err = fmt.Errorf("%s: %w", a, errNoPassword)
			}
			return m, err
		}
	}
	return nil, fmt.Errorf("%s is not in the spec", a)
}
