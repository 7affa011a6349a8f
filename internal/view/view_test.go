package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", name, diff)
	}
}

func at(t *testing.T, s string) addr.Addr {
	t.Helper()
	a, err := addr.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run is an `up` in which most that can happen does.
func run(t *testing.T) (addrs []addr.Addr, events []event.Event) {
	for _, s := range []string{"network.default", "container.db", "windows.pas", "container.web", "container.late", "container.old"} {
		addrs = append(addrs, at(t, s))
	}
	network, db, pas, web, late, old := addrs[0], addrs[1], addrs[2], addrs[3], addrs[4], addrs[5]
	return addrs, []event.Event{
		{Type: event.Done, Address: network, Action: "none"},
		{Type: event.Progress, Address: db, Message: "pulling postgres:17", Current: 1, Total: 9},
		{Type: event.Progress, Address: db, Message: "pulling postgres:17", Current: 5, Total: 9},
		{Type: event.Begin, Address: db, Action: "create", Message: "not there yet"},
		{Type: event.Waiting, Address: db},
		{Type: event.Done, Address: db, Action: "create", Seconds: 1.23},
		{Type: event.Begin, Address: pas, Action: "update", Message: "service.PasSvc: changed"},
		{Type: event.Begin, Address: pas, Layer: "service.PasSvc", Action: "apply"},
		{Type: event.Log, Address: pas, Layer: "service.PasSvc", Message: "starting\x1b[31m it\r\n50%\r100%\n"},
		{Type: event.Done, Address: pas, Layer: "service.PasSvc", Action: "apply", Seconds: 14},
		{Type: event.Warning, Address: pas, Message: "this is not Windows"},
		{Type: event.Done, Address: pas, Action: "update", Seconds: 75},
		{Type: event.Begin, Address: web, Action: "replace", Message: "env.PAS_URL changed"},
		{Type: event.Failed, Address: web, Action: "replace", Seconds: 3.1, Error: "it ended with exit code 1; its last words:\nno such host\n"},
		{Type: event.Skipped, Address: late, Action: "create", Message: "skipped, because something it needs failed"},
		{Type: event.Begin, Address: old, Action: "delete", Message: "no longer in the spec"},
		{Type: event.Done, Address: old, Action: "delete", Seconds: 0.21},
	}
}

func TestStreams(t *testing.T) {
	addrs, events := run(t)
	for name, open := range map[string]func(*bytes.Buffer) *Stream{
		"plain.txt": func(b *bytes.Buffer) *Stream { return Plain(b, false, addrs) },
		"color.txt": func(b *bytes.Buffer) *Stream { return Plain(b, true, addrs) },
		"quiet.txt": func(b *bytes.Buffer) *Stream { return Quiet(b, false) },
		"json.txt":  func(b *bytes.Buffer) *Stream { return JSON(b) },
	} {
		var b bytes.Buffer
		s := open(&b)
		s.now = func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }
		for _, e := range events {
			s.Event(e)
		}
		if err := s.Close(errors.New("container.web: failed")); err != nil {
			t.Fatal(err)
		}
		s.Event(event.Event{Type: event.Log, Message: "after the end"})
		golden(t, name, b.Bytes())
	}
}

// TestPull holds what a log says of a pull: how far it is, every few seconds, and what it came to.
func TestPull(t *testing.T) {
	db := at(t, "container.db")
	began := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var b bytes.Buffer
	s := Plain(&b, false, []addr.Addr{db})
	pulling := func(seconds int, message string, parts ...event.Part) {
		s.Event(event.Event{Type: event.Progress, Address: db, Time: began.Add(time.Duration(seconds) * time.Second), Message: message, Parts: parts})
	}
	pulling(0, "pulling postgres:17")
	there := event.Part{Name: "a", State: event.PartDone}
	pulling(1, "pulling postgres:17", there, event.Part{Name: "b", State: event.PartDownloading, Current: 2e6, Total: 8e6}, event.Part{Name: "c", State: event.PartWaiting})
	for i := range 7 {
		pulling(2+i, "pulling postgres:17", there, event.Part{Name: "b", State: event.PartUnpacking, Current: 3e6, Total: 8e6},
			event.Part{Name: "c", State: event.PartDownloading, Current: int64(i) * 1e6, Total: 24e6})
	}
	pulling(9, "pulled postgres:17", there, event.Part{Name: "b", State: event.PartDone, Current: 8e6, Total: 8e6}, event.Part{Name: "c", State: event.PartDone, Current: 24e6, Total: 24e6})
	want := "    container.db             pulling postgres:17\n" +
		"    container.db             pulling postgres:17: 1/3 layers, 11.0 of 32.0 MB\n" +
		"    container.db             pulled postgres:17: 3 layers, 32.0 MB\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestParts(t *testing.T) {
	for _, test := range []struct {
		parts []event.Part
		want  string
		share float64
	}{
		{nil, "0 layers", 0},
		{[]event.Part{{State: event.PartWaiting}}, "0/1 layer", 0},
		{[]event.Part{{State: event.PartDone}}, "1 layer", 0},
		{[]event.Part{{State: event.PartDownloading, Current: 50, Total: 100}, {State: event.PartWaiting}}, "0/2 layers, 50.0 of 100.0+ bytes", 0.15},
		{[]event.Part{{State: event.PartDownloaded, Current: 100, Total: 100}, {State: event.PartDone, Current: 300, Total: 300}}, "1/2 layers, 400.0 of 400.0 bytes", 0.9},
		{[]event.Part{{State: event.PartUnpacking, Current: 500, Total: 1000}}, "0/1 layer, 1.0 of 1.0 kB", 0.8},
	} {
		if got, share := Parts(test.parts), Share(test.parts); got != test.want || math.Abs(share-test.share) > 1e-9 {
			t.Errorf("%+v: %q, %v", test.parts, got, share)
		}
	}
}

func TestJSONOfNothing(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b).Close(nil); err != nil {
		t.Fatal(err)
	}
	var first, last event.Event
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &last) != nil {
		t.Fatalf("wrote %q", lines)
	}
	if first.Type != event.Start || first.Format != Format || last.Type != event.End || last.OK == nil || !*last.OK {
		t.Errorf("wrote %q", lines)
	}
}

func TestJSONKeepsTheCallersStart(t *testing.T) {
	var b bytes.Buffer
	s := JSON(&b)
	s.Event(event.Event{Type: event.Start, Message: "up gp"})
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"format":1`) || !strings.Contains(got, "up gp") {
		t.Errorf("wrote %q", got)
	}
}

func TestManyWritersOneLineEach(t *testing.T) {
	var b bytes.Buffer
	s := JSON(&b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				s.Event(event.Event{Type: event.Progress, Message: "m"})
			}
		})
	}
	wg.Wait()
	for line := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Fatalf("not one event: %q", line)
		}
	}
}

type broken struct{ n int }

func (b *broken) Write([]byte) (int, error) { b.n++; return 0, errors.New("broken pipe") }

func TestReaderThatWentAway(t *testing.T) {
	w := &broken{}
	s := JSON(w)
	s.Event(event.Event{Type: event.Log})
	s.Event(event.Event{Type: event.Log})
	if err := s.Close(nil); err == nil || w.n != 1 {
		t.Errorf("%v after %d writes", err, w.n)
	}
}

func TestPlan(t *testing.T) {
	p := &plan.Plan{Operations: []plan.Operation{
		{Addr: at(t, "container.old"), Action: providers.Delete, Cause: "no longer in the spec"},
		{Addr: at(t, "network.default"), Action: providers.None},
		{Addr: at(t, `container.node["a"]`), Action: providers.Create, Cause: "not there yet"},
		{Addr: at(t, "windows.pas"), Action: providers.Update, Cause: "service.PasSvc: changed", Layers: []plan.Layer{
			{Name: "package.pas", Action: plan.Keep},
			{Name: `registry.HKLM\SOFTWARE\PAS`, Action: plan.Keep},
			{Name: "service.PasSvc", Action: plan.Undo},
			{Name: "service.PasSvc", Action: plan.Apply, Cause: "changed"},
		}},
		{Addr: at(t, "container.web"), Action: providers.Replace, Cause: "env.PAS_URL changed; env.NEW added; env.OLD removed", Values: []plan.Value{
			{Name: "env.NEW", New: "1"}, {Name: "env.OLD", Old: "two\nlines"}, {Name: "env.PAS_URL", Old: "http://pas:80", New: "http://pas:8080"},
		}},
	}}
	for name, color := range map[string]bool{"plan.txt": false, "plan-color.txt": true} {
		var b bytes.Buffer
		if err := Plan(&b, p, color); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
	var b bytes.Buffer
	if err := Plan(&b, &plan.Plan{Operations: p.Operations[1:2]}, false); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != "Nothing to change: all that is in the spec is as it should be.\n" {
		t.Errorf("nothing to do: %q", got)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	err := Table(&b, [][]string{
		{"RESOURCE", "STATE", "DETAIL"},
		{"container.db", "ready", ""},
		{"windows.pas", "unreachable", "its sandbox\nis stopped\x1b[2J"},
	}, false)
	want := "RESOURCE      STATE        DETAIL\n" +
		"container.db  ready\n" +
		"windows.pas   unreachable  its sandbox is stopped\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{0.04: "<0.1s", 9.94: "9.9s", 9.96: "10s", 59.4: "59s", 59.6: "1m00s", 3725: "62m05s"} {
		if got := Duration(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
}
