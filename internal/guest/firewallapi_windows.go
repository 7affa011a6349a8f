package guest

import (
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/windows"
)

// firewallAPI is Windows Firewall's own interface, INetFwPolicy2 (netfw.h). It speaks to the firewall's
// service, so that a rule counts at once.
type firewallAPI struct{ rules *comObject }

// The methods that are used, by their place after the seven of IUnknown and IDispatch.
const (
	policyRules = 7 + 11

	rulesAdd    = 7 + 1
	rulesRemove = 7 + 2
	rulesItem   = 7 + 3

	rulePutName            = 7 + 1
	ruleGetProtocol        = 7 + 8
	rulePutProtocol        = 7 + 9
	ruleGetLocalPorts      = 7 + 10
	rulePutLocalPorts      = 7 + 11
	ruleGetRemoteAddresses = 7 + 16
	ruleGetDirection       = 7 + 20
	rulePutDirection       = 7 + 21
	ruleGetEnabled         = 7 + 26
	rulePutEnabled         = 7 + 27
	ruleGetProfiles        = 7 + 30
	rulePutProfiles        = 7 + 31
	ruleGetAction          = 7 + 34
	rulePutAction          = 7 + 35
)

var (
	clsidPolicy2 = windows.GUID{Data1: 0xE2B3C97F, Data2: 0x6AE1, Data3: 0x41AC, Data4: [8]byte{0x81, 0x7A, 0xF6, 0xF9, 0x21, 0x66, 0xD7, 0xDD}}
	iidPolicy2   = windows.GUID{Data1: 0x98325047, Data2: 0xC671, Data3: 0x4174, Data4: [8]byte{0x8D, 0x81, 0xDE, 0xFC, 0xD3, 0xF0, 0x31, 0x86}}
	clsidRule    = windows.GUID{Data1: 0x2C5BC43E, Data2: 0x3369, Data3: 0x4C33, Data4: [8]byte{0xAB, 0x0C, 0xBE, 0x94, 0x69, 0x67, 0x7A, 0xF4}}
	iidRule      = windows.GUID{Data1: 0xAF230D27, Data2: 0xBABA, Data3: 0x4E42, Data4: [8]byte{0xAC, 0xED, 0xF5, 0x24, 0xF2, 0x2C, 0xFC, 0xE2}}
)

// allProfiles is NET_FW_PROFILE2_ALL.
const allProfiles = 0x7FFFFFFF

// withFirewall calls do with the firewall's interface.
func withFirewall(do func(firewallAPI) error) error {
	return withCOM(&clsidPolicy2, &iidPolicy2, func(policy *comObject) error {
		var rules *comObject
		if err := policy.call(policyRules, uintptr(unsafe.Pointer(&rules))); err != nil {
			return err
		}
		if rules == nil {
			return errNoInterface
		}
		defer rules.release()
		return do(firewallAPI{rules})
	})
}

// add makes a rule that lets a port in, on every kind of network.
func (f firewallAPI) add(name string, protocol, port int) error {
	rule, err := comCreate(&clsidRule, &iidRule)
	if err != nil {
		return err
	}
	defer rule.release()
	const in, allow = 1, 1 // NET_FW_RULE_DIR_IN, NET_FW_ACTION_ALLOW
	const yes = 0xFFFF     // VARIANT_TRUE
	for _, set := range []struct {
		method int
		text   string
		value  uintptr
	}{
		{method: rulePutName, text: name}, {method: rulePutProtocol, value: uintptr(protocol)},
		{method: rulePutLocalPorts, text: strconv.Itoa(port)}, {method: rulePutDirection, value: in},
		{method: rulePutProfiles, value: allProfiles}, {method: rulePutAction, value: allow}, {method: rulePutEnabled, value: yes},
	} {
		value := set.value
		if set.text != "" {
			text := newBSTR(set.text)
			defer freeBSTR(text)
			value = text
		}
		if err := rule.call(set.method, value); err != nil {
			return err
		}
	}
	return f.rules.call(rulesAdd, uintptr(unsafe.Pointer(rule)))
}

// read gives the parts of the rule of that name, as ruleParts does; nil where there is none.
func (f firewallAPI) read(name string) (map[string]string, error) {
	rule, err := f.rules.item(rulesItem, name)
	if rule == nil {
		return nil, err
	}
	defer rule.release()
	parts := map[string]string{}
	for _, get := range []struct {
		method int
		name   string
	}{{ruleGetLocalPorts, "port"}, {ruleGetRemoteAddresses, "from"}} {
		if parts[get.name], err = rule.text(get.method); err != nil {
			return nil, err
		}
	}
	var protocol, direction, action, profiles int32
	var enabled int16 // VARIANT_BOOL
	for _, get := range []struct {
		method int
		to     unsafe.Pointer
	}{
		{ruleGetProtocol, unsafe.Pointer(&protocol)}, {ruleGetDirection, unsafe.Pointer(&direction)}, {ruleGetAction, unsafe.Pointer(&action)},
		{ruleGetProfiles, unsafe.Pointer(&profiles)}, {ruleGetEnabled, unsafe.Pointer(&enabled)},
	} {
		if err := rule.call(get.method, uintptr(get.to)); err != nil {
			return nil, err
		}
	}
	parts["protocol"] = protocolName(strconv.Itoa(int(protocol)))
	parts["direction"] = map[int32]string{1: "in", 2: "out"}[direction] // NET_FW_RULE_DIRECTION
	parts["action"] = map[int32]string{0: "block", 1: "allow"}[action]  // NET_FW_ACTION
	parts["enabled"] = map[bool]string{true: "yes", false: "no"}[enabled != 0]
	if profiles != allProfiles {
		parts["profiles"] = strconv.Itoa(int(profiles))
	}
	return parts, nil
}

// remove takes a rule away; that it is not there is no error.
func (f firewallAPI) remove(name string) error {
	text := newBSTR(name)
	defer freeBSTR(text)
	err := f.rules.call(rulesRemove, text)
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return nil
	}
	return err
}
