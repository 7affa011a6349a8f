package guest

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
)

// firewallKind opens a port inwards, on every kind of network. It asks Windows Firewall's interface;
// where that is missing or its service does not run, it writes the rule where the service keeps them and
// reads them when it starts.
type firewallKind struct{}

// firewallSaved is what undo needs.
type firewallSaved struct {
	API  bool           `json:"api,omitempty"` // the interface may have the rule
	Keys *registrySaved `json:"keys,omitempty"`
}

// firewallRules is where Windows Firewall keeps its rules, one value each ([MS-GPFAS] 2.2.2).
const firewallRules = `SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules`

// endpointNotRegistered is what RPC answers where the firewall's service is not running.
const endpointNotRegistered = windows.Errno(1753)

// firewallRule is a layer's rule: its name, its protocol's number, and the form that the registry has.
type firewallRule struct {
	name     string
	protocol int
	port     int
}

func ruleOf(l guestproto.Layer) (firewallRule, error) {
	f := l.Firewall
	protocol := map[string]int{"": 6, "tcp": 6, "udp": 17}[f.Protocol]
	if protocol == 0 || f.Port < 1 || f.Port > 65535 {
		return firewallRule{}, fmt.Errorf("protocol %q, port %d: want tcp or udp, and 1 to 65535", f.Protocol, f.Port)
	}
	return firewallRule{fmt.Sprintf("envctl %s %s %d", l.Name, f.Protocol, f.Port), protocol, f.Port}, nil
}

func (r firewallRule) stored() (regPath, map[string]regValue) {
	text := fmt.Sprintf("v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=%d|LPort=%d|Name=%s|", r.protocol, r.port, r.name)
	return regPath{registry.LOCAL_MACHINE, firewallRules, registry.WOW64_64KEY}, map[string]regValue{r.name: {registry.SZ, utf16z(text)}}
}

func (firewallKind) apply(_ context.Context, s *step) error {
	r, err := ruleOf(s.layer)
	if err != nil {
		return err
	}
	if err := s.save(firewallSaved{API: true}); err != nil {
		return err
	}
	err = withFirewall(func(f firewallAPI) error {
		if err := f.remove(r.name); err != nil { // of a run that was cut off: there may be several of a name
			return err
		}
		if err := f.add(r.name, r.protocol, r.port); err != nil {
			return err
		}
		held, err := f.holds(r.name, r.port)
		if err == nil && !held {
			err = errNoInterface
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, endpointNotRegistered):
		s.log("Windows Firewall does not run here: the rule counts from when it does")
	case !errors.Is(err, errNoInterface):
		return fmt.Errorf("the firewall of Windows: %w", err)
	}
	keys, values := r.stored()
	return keys.set(values, func(before registrySaved) error { return s.save(firewallSaved{Keys: &before}) })
}

func (firewallKind) undo(_ context.Context, s *step) error {
	var saved firewallSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	r, err := ruleOf(s.layer)
	if err != nil {
		return err
	}
	if saved.Keys != nil {
		keys, _ := r.stored()
		return keys.restore(*saved.Keys)
	}
	err = withFirewall(func(f firewallAPI) error { return f.remove(r.name) })
	if err != nil && !errors.Is(err, errNoInterface) {
		return fmt.Errorf("the firewall of Windows: %w", err)
	}
	return nil
}

func (firewallKind) observe(_ context.Context, s *step) (string, error) {
	var saved firewallSaved
	if ok, err := s.saved(&saved); !ok {
		return "", err
	}
	r, err := ruleOf(s.layer)
	if err != nil {
		return "", err
	}
	if saved.Keys != nil {
		keys, values := r.stored()
		return keys.differs(values)
	}
	held := false
	err = withFirewall(func(f firewallAPI) (err error) {
		held, err = f.holds(r.name, r.port)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("the firewall of Windows: %w", err)
	}
	if !held {
		return "the rule is gone or was changed", nil
	}
	return "", nil
}
