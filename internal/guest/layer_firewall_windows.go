package guest

import (
	"context"
	"errors"
	"fmt"
	"strconv"

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
	API  bool              `json:"api,omitempty"`  // the interface may have the rule
	Made map[string]string `json:"made,omitempty"` // its parts, as the interface gave them back
	Keys *registrySaved    `json:"keys,omitempty"`
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

// text is the rule as the registry has it.
func (r firewallRule) text() string {
	return fmt.Sprintf("v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=%d|LPort=%d|Name=%s|", r.protocol, r.port, r.name)
}

func (r firewallRule) stored() (regPath, map[string]regValue) {
	return regPath{registry.LOCAL_MACHINE, firewallRules, registry.WOW64_64KEY}, map[string]regValue{r.name: {registry.SZ, utf16z(r.text())}}
}

// readStored gives the parts of the rule that the registry has; nil where it has none.
func (r firewallRule) readStored() (map[string]string, error) {
	p, _ := r.stored()
	k, err := p.open(registry.QUERY_VALUE)
	if err == nil {
		defer k.Close()
		var v *regValue
		if v, err = readValue(k, r.name); v != nil {
			text, _ := v.shown()
			return ruleParts(text), nil
		}
	}
	if errors.Is(err, registry.ErrNotExist) {
		err = nil
	}
	return nil, err
}

// heldBy reports whether parts are those of this rule, turned on.
func (r firewallRule) heldBy(parts map[string]string) bool {
	return parts["enabled"] == "yes" && parts["port"] == strconv.Itoa(r.port)
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
		made, err := f.read(r.name)
		if err == nil && !r.heldBy(made) {
			err = errNoInterface
		}
		if err != nil {
			return err
		}
		return s.save(firewallSaved{API: true, Made: made})
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

func (firewallKind) observe(_ context.Context, s *step) (d drift, err error) {
	var saved firewallSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	r, err := ruleOf(s.layer)
	if err != nil {
		return d, err
	}
	var want, is map[string]string
	if saved.Keys != nil {
		want = ruleParts(r.text())
		is, err = r.readStored()
	} else {
		want = saved.Made
		err = withFirewall(func(f firewallAPI) (err error) {
			is, err = f.read(r.name)
			return err
		})
	}
	switch {
	case err != nil:
		return d, fmt.Errorf("the firewall of Windows: %w", err)
	case is == nil:
		d.say("the rule is gone")
	case want == nil: // an earlier envctl's, which kept no more
		if !r.heldBy(is) {
			d.say("the rule was changed")
		}
		return d, nil
	}
	d.differences(want, is)
	if len(d.words) == 0 && len(d.parts) > 0 {
		d.say("the rule was changed")
	}
	return d, nil
}
