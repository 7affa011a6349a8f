package guest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/guestproto"
)

func TestDriftIsBounded(t *testing.T) {
	var d drift
	for i := range 50 {
		d.say("word %d", i)
		d.part(fmt.Sprint(i), "a", "b")
	}
	if got := d.inWords(); got != "word 0; word 1; word 2, and 47 more" {
		t.Errorf("in words %q", got)
	}
	if got := d.masked(strings.ToUpper); len(got) != maxParts || got[0].Is != "B" {
		t.Errorf("%d parts: %v", len(got), got)
	}
}

func TestDifferences(t *testing.T) {
	var d drift
	long := strings.Repeat("x", 49)
	d.differences(map[string]string{"same": "1", "gone": "2", "emptied": "3", "long": long}, map[string]string{"same": "1", "emptied": "", "new": "4", "long": "5"})
	want := []guestproto.Difference{{Name: "emptied", Want: "3", Is: `""`}, {Name: "gone", Want: "2"},
		{Name: "long", Want: guestproto.Digest(long), Is: "5"}, {Name: "new", Is: "4"}}
	if diff := cmp.Diff(want, d.parts); diff != "" {
		t.Error(diff)
	}
}

func TestRuleParts(t *testing.T) {
	got := ruleParts("v2.10|Action=Block|Active=FALSE|Dir=Out|Protocol=17|LPort=80|LPort=81|RA4=10.0.0.1|Name=a rule|")
	want := map[string]string{"action": "block", "enabled": "no", "direction": "out", "protocol": "udp", "port": "80,81", "ra4": "10.0.0.1", "name": "a rule"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTaskParts(t *testing.T) {
	text, err := taskXML(&guestproto.Task{Command: "x.exe", WorkingDir: `C:\\x`, On: "boot"}, "a b")
	if err != nil {
		t.Fatal(err)
	}
	// As Task Scheduler gives it, and with another trigger and another argument.
	given := `<?xml version="1.0" encoding="UTF-16"?>` + "\r\n" + text
	edited := strings.Replace(given, "</BootTrigger>", "</BootTrigger><BootTrigger></BootTrigger>", 1)
	edited = strings.Replace(edited, "a b", "c", 1)
	var d drift
	d.differences(taskParts(given), taskParts(edited))
	want := []guestproto.Difference{{Name: "Actions.Exec.Arguments", Want: "a b", Is: "c"}, {Name: "Triggers.BootTrigger[2]", Is: `""`}}
	if diff := cmp.Diff(want, d.parts); diff != "" {
		t.Error(diff)
	}
	if got := taskParts(given)["Actions.Exec.Command"]; got != "x.exe" {
		t.Errorf("the command is %q", got)
	}
}
