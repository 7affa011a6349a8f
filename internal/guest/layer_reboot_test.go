package guest

import (
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/guestproto"
)

// A restart leaves its layer incomplete; the request after it completes it, and goes on. One that does
// not come is asked for a few times and then an error.
func TestRestart(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	asked := 0
	m.kinds["reboot"] = rebootKind{pending: func() (string, error) { return "", nil }}
	m.restart = func() error { asked++; return nil }
	reboot := guestproto.Layer{Kind: "reboot", Name: "r", Reboot: &guestproto.Reboot{When: "always"}}
	stack := func() []guestproto.Layer {
		return []guestproto.Layer{memoryLayer("a", "1"), reboot, memoryLayer("b", "2")}
	}

	events, err := apply(m, 0, stack()...)
	if err != nil || !strings.HasSuffix(events, "reboot reboot.r\nend\n") || asked != 1 {
		t.Fatalf("asked %d, %v:\n%s", asked, err, events)
	}
	m.BootID = "2"
	events, err = apply(m, 1, stack()...)
	if err != nil || asked != 1 || w.values["b.a"] != "2" || strings.Contains(events, "undo") {
		t.Fatalf("asked %d, %v:\n%s", asked, err, events)
	}
	if events, err = apply(m, 3, stack()...); err != nil || events != "end\n" {
		t.Errorf("again: %v\n%s", err, events)
	}

	if _, err := apply(m, 0); err != nil {
		t.Fatal(err)
	}
	asked = 0
	for range maxAsked {
		if events, err := apply(m, min(1, asked), stack()...); err != nil {
			t.Fatalf("%v\n%s", err, events)
		}
	}
	_, err = apply(m, 1, stack()...)
	if err == nil || asked != maxAsked || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("asked %d times, then %v", asked, err)
	}
}

func TestRestartOnlyWhereOneIsPending(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	why := ""
	m.kinds["reboot"] = rebootKind{pending: func() (string, error) { return why, nil }}
	m.restart = func() error { return nil }
	l := guestproto.Layer{Kind: "reboot", Name: "r", Reboot: &guestproto.Reboot{When: "pending"}}
	if events, err := apply(m, 0, l); err != nil || strings.Contains(events, "reboot reboot.r") {
		t.Errorf("%v\n%s", err, events)
	}
	if _, err := apply(m, 0); err != nil {
		t.Fatal(err)
	}
	why = "files in use"
	if events, err := apply(m, 0, l); err != nil || !strings.Contains(events, "reboot reboot.r") {
		t.Errorf("%v\n%s", err, events)
	}
}
