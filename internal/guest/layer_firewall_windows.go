package guest

import (
	"context"
	"fmt"

	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
)

// firewallKind opens a port inwards.
type firewallKind struct{}

// firewallRules is where Windows Firewall keeps its rules, one value each ([MS-GPFAS] 2.2.2). The
// service reads it when it starts and writes it when a rule is made through its interface.
const firewallRules = `SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules`

func firewallRule(l guestproto.Layer) (regPath, map[string]regValue, error) {
	protocol := map[string]int{"": 6, "tcp": 6, "udp": 17}[l.Firewall.Protocol]
	if protocol == 0 || l.Firewall.Port < 1 || l.Firewall.Port > 65535 {
		return regPath{}, nil, fmt.Errorf("protocol %q, port %d: want tcp or udp, and 1 to 65535", l.Firewall.Protocol, l.Firewall.Port)
	}
	text := fmt.Sprintf("v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=%d|LPort=%d|Name=%s|", protocol, l.Firewall.Port, ruleName(l))
	p := regPath{root: registry.LOCAL_MACHINE, path: firewallRules, view: registry.WOW64_64KEY}
	return p, map[string]regValue{ruleName(l): {registry.SZ, utf16z(text)}}, nil
}

func ruleName(l guestproto.Layer) string {
	return fmt.Sprintf("envctl %s %s %d", l.Name, l.Firewall.Protocol, l.Firewall.Port)
}

func (firewallKind) apply(_ context.Context, s *step) error {
	p, values, err := firewallRule(s.layer)
	if err != nil {
		return err
	}
	return p.set(values, func(saved registrySaved) error { return s.save(saved) })
}

func (firewallKind) undo(_ context.Context, s *step) error {
	var saved registrySaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	p, _, err := firewallRule(s.layer)
	if err != nil {
		return err
	}
	return p.restore(saved)
}

func (firewallKind) observe(_ context.Context, s *step) (string, error) {
	p, values, err := firewallRule(s.layer)
	if err != nil {
		return "", err
	}
	return p.differs(values)
}
