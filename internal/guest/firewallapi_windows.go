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

	rulePutName       = 7 + 1
	rulePutProtocol   = 7 + 9
	ruleGetLocalPorts = 7 + 10
	rulePutLocalPorts = 7 + 11
	rulePutDirection  = 7 + 21
	ruleGetEnabled    = 7 + 26
	rulePutEnabled    = 7 + 27
	rulePutProfiles   = 7 + 31
	rulePutAction     = 7 + 35
)

var (
	clsidPolicy2 = windows.GUID{Data1: 0xE2B3C97F, Data2: 0x6AE1, Data3: 0x41AC, Data4: [8]byte{0x81, 0x7A, 0xF6, 0xF9, 0x21, 0x66, 0xD7, 0xDD}}
	iidPolicy2   = windows.GUID{Data1: 0x98325047, Data2: 0xC671, Data3: 0x4174, Data4: [8]byte{0x8D, 0x81, 0xDE, 0xFC, 0xD3, 0xF0, 0x31, 0x86}}
	clsidRule    = windows.GUID{Data1: 0x2C5BC43E, Data2: 0x3369, Data3: 0x4C33, Data4: [8]byte{0xAB, 0x0C, 0xBE, 0x94, 0x69, 0x67, 0x7A, 0xF4}}
	iidRule      = windows.GUID{Data1: 0xAF230D27, Data2: 0xBABA, Data3: 0x4E42, Data4: [8]byte{0xAC, 0xED, 0xF5, 0x24, 0xF2, 0x2C, 0xFC, 0xE2}}
)

// withFirewall calls do with the firewall's interface.
func withFirewall(do func(firewallAPI) error) error {
	defer enterCOM()()
	policy, err := comCreate(&clsidPolicy2, &iidPolicy2)
	if err != nil {
		return err
	}
	defer policy.release()
	var rules *comObject
	if err := policy.call(policyRules, uintptr(unsafe.Pointer(&rules))); err != nil {
		return err
	}
	if rules == nil {
		return errNoInterface
	}
	defer rules.release()
	return do(firewallAPI{rules})
}

// add makes a rule that lets a port in, on every kind of network.
func (f firewallAPI) add(name string, protocol, port int) error {
	rule, err := comCreate(&clsidRule, &iidRule)
	if err != nil {
		return err
	}
	defer rule.release()
	const in, allow, all = 1, 1, 0x7FFFFFFF // NET_FW_RULE_DIR_IN, NET_FW_ACTION_ALLOW, NET_FW_PROFILE2_ALL
	const yes = 0xFFFF                      // VARIANT_TRUE
	for _, set := range []struct {
		method int
		text   string
		value  uintptr
	}{
		{method: rulePutName, text: name}, {method: rulePutProtocol, value: uintptr(protocol)},
		{method: rulePutLocalPorts, text: strconv.Itoa(port)}, {method: rulePutDirection, value: in},
		{method: rulePutProfiles, value: all}, {method: rulePutAction, value: allow}, {method: rulePutEnabled, value: yes},
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

// holds reports whether there is a rule of that name, turned on, for that port.
func (f firewallAPI) holds(name string, port int) (bool, error) {
	text := newBSTR(name)
	defer freeBSTR(text)
	var rule *comObject
	err := f.rules.call(rulesItem, text, uintptr(unsafe.Pointer(&rule)))
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if rule == nil {
		return false, errNoInterface
	}
	defer rule.release()
	var enabled int16
	if err := rule.call(ruleGetEnabled, uintptr(unsafe.Pointer(&enabled))); err != nil {
		return false, err
	}
	var ports *uint16
	if err := rule.call(ruleGetLocalPorts, uintptr(unsafe.Pointer(&ports))); err != nil {
		return false, err
	}
	defer freeBSTR(uintptr(unsafe.Pointer(ports)))
	return enabled != 0 && windows.UTF16PtrToString(ports) == strconv.Itoa(port), nil
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
