package guest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/guestproto"
)

// fakeDISM answers as the tool is documented to.
type fakeDISM struct {
	states map[string]string // by feature
	reboot bool              // changes are pending until the next start
	ran    []string
}

func (d *fakeDISM) run(_ context.Context, args ...string) (uint32, string, error) {
	const head = "\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0.20348.681\r\n\r\nImage Version: 10.0.20348.2113\r\n\r\n"
	d.ran = append(d.ran, strings.Join(args, " "))
	name := ""
	for _, a := range args {
		if n, ok := strings.CutPrefix(a, "/featurename:"); ok {
			name = n
		}
	}
	state, known := d.states[name]
	set := func(on, pending string) (uint32, string, error) {
		if d.reboot {
			d.states[name] = pending
			return 3010, "", nil
		}
		d.states[name] = on
		return 0, "", nil
	}
	switch {
	case !known:
		return 0x800F080C, head + "Error: 0x800f080c\r\n\r\nFeature name " + name + " is unknown.\r\nA Windows feature name was not recognized.\r\n", nil
	case slices.Contains(args, "/get-featureinfo"):
		return 0, head + fmt.Sprintf("Feature Information:\r\n\r\nFeature Name : %s\r\nDisplay Name : Telnet Client\r\nDescription : State : no\r\nRestart Required : Possible\r\nState : %s\r\n\r\nCustom Properties:\r\n\r\n(No custom properties found)\r\n\r\nThe operation completed successfully.\r\n", name, state), nil
	case slices.Contains(args, "/disable-feature"):
		return set("Disabled", "Disable Pending")
	case state == "Disabled with Payload Removed" && !slices.Contains(args, `/source:D:\sources\sxs`):
		return 0x800F081F, head + "Error: 0x800f081f\r\n\r\nThe source files could not be found.\r\n", nil
	}
	return set("Enabled", "Enable Pending")
}

func featureMachine(t *testing.T, d *fakeDISM) *Machine {
	m := testMachine(t)
	m.kinds = map[string]kind{"feature": featureKind{d.run}}
	return m
}

func feature(name string) guestproto.Layer {
	return guestproto.Layer{Kind: "feature", Name: name, Feature: &guestproto.Feature{}}
}

func TestFeatureIsTurnedOffOnlyWhereItWasTurnedOn(t *testing.T) {
	d := &fakeDISM{states: map[string]string{"TelnetClient": "Disabled", "NetFx4": "Enabled"}}
	m := featureMachine(t, d)
	if events, err := apply(m, 0, feature("TelnetClient"), feature("NetFx4")); err != nil {
		t.Fatalf("%v\n%s", err, events)
	}
	if d.states["TelnetClient"] != "Enabled" {
		t.Errorf("states %v", d.states)
	}
	if !slices.Contains(d.ran, "/online /english /norestart /quiet /featurename:TelnetClient /enable-feature /all") {
		t.Errorf("ran %q", d.ran)
	}
	if o, err := m.Observe(t.Context()); err != nil || len(o.Drifted) != 0 {
		t.Errorf("drifted at once: %v (%v)", o.Drifted, err)
	}
	d.states["TelnetClient"] = "Disabled"
	if o, _ := m.Observe(t.Context()); o.Drifted["feature.TelnetClient"] != "it is disabled" ||
		fmt.Sprint(o.Differences["feature.TelnetClient"]) != "[{state enabled disabled}]" {
		t.Errorf("drifted: %v, %v", o.Drifted, o.Differences)
	}
	d.states["TelnetClient"] = "Enabled"
	if events, err := apply(m, 0); err != nil {
		t.Fatalf("%v\n%s", err, events)
	}
	if d.states["TelnetClient"] != "Disabled" || d.states["NetFx4"] != "Enabled" {
		t.Errorf("afterwards %v", d.states)
	}
}

func TestFeatureThatWantsARestartSaysSo(t *testing.T) {
	d := &fakeDISM{states: map[string]string{"IIS": "Disabled"}, reboot: true}
	m := featureMachine(t, d)
	events, err := apply(m, 0, feature("IIS"))
	if err != nil || !strings.Contains(events, "a reboot layer above does it") {
		t.Fatalf("%v\n%s", err, events)
	}
	if man, err := m.readManifest(); err != nil || man.PendingReboot != m.BootID {
		t.Errorf("the restart is not noted: %+v (%v)", man, err)
	}
	if o, _ := m.Observe(t.Context()); len(o.Drifted) != 0 {
		t.Errorf("drifted: %v", o.Drifted)
	}
}

func TestFeatureThatCannotBeTurnedOn(t *testing.T) {
	d := &fakeDISM{states: map[string]string{"NetFx3": "Disabled with Payload Removed"}}
	m := featureMachine(t, d)
	for name, want := range map[string]string{
		"NoSuch": `no feature "NoSuch"`,
		"NetFx3": "The source files could not be found.: Windows does not have the feature's files; name a folder",
	} {
		if _, err := apply(m, 0, feature(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := feature("NetFx3")
	l.Feature.Payload = `D:\sources\sxs`
	if events, err := apply(m, 0, l); err != nil || d.states["NetFx3"] != "Enabled" {
		t.Errorf("%v: %v\n%s", d.states, err, events)
	}
}
