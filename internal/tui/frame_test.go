package tui

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", name, diff)
	}
}

func at(t testing.TB, s string) addr.Addr {
	t.Helper()
	a, err := addr.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func addrs(t testing.TB) (list []addr.Addr) {
	for _, s := range []string{"network.default", "container.db", "sandbox.pas", "gateway.pas", "windows.pas", "container.booking", "container.late"} {
		list = append(list, at(t, s))
	}
	return list
}

// middle is an `up` under way, end what comes of it.
func middle(t testing.TB) []event.Event {
	a := addrs(t)
	return []event.Event{
		{Type: event.Done, Address: a[0], Action: "none"},
		{Type: event.Begin, Address: a[1], Action: "create", Message: "not there yet"},
		{Type: event.Done, Address: a[1], Action: "create", Seconds: 1.23},
		{Type: event.Begin, Address: a[2], Action: "replace"},
		{Type: event.Waiting, Address: a[2]},
		{Type: event.Begin, Address: a[4], Action: "update", Message: "service.PasSvc: changed"},
		{Type: event.Begin, Address: a[4], Layer: "service.PasSvc", Action: "undo"},
		{Type: event.Done, Address: a[4], Layer: "service.PasSvc", Action: "undo", Seconds: 2},
		{Type: event.Begin, Address: a[4], Layer: "service.PasSvc", Action: "apply"},
		{Type: event.Log, Address: a[4], Layer: "service.PasSvc", Message: "one\ntwo\x1b[2J\n"},
		{Type: event.Warning, Address: a[4], Message: "this is not Windows"},
		{Type: event.Progress, Address: a[5], Message: "pulling debian:trixie-slim", Current: 45, Total: 100},
	}
}

func end(t testing.TB) []event.Event {
	a := addrs(t)
	no := false
	return []event.Event{
		{Type: event.Done, Address: a[2], Action: "replace", Seconds: 9.5},
		{Type: event.Done, Address: a[3], Action: "none"},
		{Type: event.Failed, Address: a[4], Layer: "service.PasSvc", Action: "apply", Error: "it stopped at once; look at the event log", Seconds: 3},
		{Type: event.Failed, Address: a[4], Action: "update", Error: "the layer service.PasSvc was not applied", Seconds: 15},
		{Type: event.Skipped, Address: a[5], Action: "create", Message: "skipped, because something it needs failed"},
		{Type: event.End, OK: &no},
	}
}

func started(t testing.TB, width, height int) *model {
	m := newModel("gp-booking (a1b2): up", addrs(t), start, newPalette(false))
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(batchMsg(middle(t)))
	m.Update(tickMsg(start.Add(12 * time.Second)))
	return m
}

func TestFrames(t *testing.T) {
	for _, size := range [][2]int{{100, 30}, {60, 30}, {40, 30}, {20, 30}, {100, 8}, {100, 5}, {1, 1}} {
		width, height := size[0], size[1]
		m := started(t, width, height)
		frame := m.live() + "\n"
		for line := range strings.Lines(frame) {
			if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("%dx%d: a line of %d columns: %q", width, height, w, line)
			}
		}
		if n := strings.Count(frame, "\n"); n > height && height >= 5 {
			t.Errorf("%dx%d: %d lines", width, height, n)
		}
		golden(t, fmt.Sprintf("%dx%d.txt", width, height), frame)
	}
}

func TestFinalFrame(t *testing.T) {
	m := started(t, 80, 30)
	m.Update(batchMsg(end(t)))
	golden(t, "failed-live.txt", m.live()+"\n")
	m.Update(finishedMsg{complete: true})
	if live := m.live(); live != "" {
		t.Errorf("a live frame would stay on the screen: %q", live)
	}
	golden(t, "final.txt", m.final())
}

// TestPull: the layers that move are shown, what is done is counted, and the bar never goes back.
func TestPull(t *testing.T) {
	m := started(t, 100, 30)
	web := addrs(t)[5]
	parts := []event.Part{
		{Name: "0aa1d5b1b5a1", State: event.PartDone},
		{Name: "1bb2e6c2c6b2", State: event.PartUnpacking, Current: 6e6, Total: 12e6},
		{Name: "2cc3f7d3d7c3", State: event.PartDownloading, Current: 21e6, Total: 28e6},
		{Name: "3dd408e4e8d4", State: event.PartWaiting},
	}
	pulling := event.Event{Type: event.Progress, Address: web, Message: "pulling node:24", Parts: parts}
	m.Update(batchMsg{pulling})
	golden(t, "pulling.txt", m.View().Content)
	before := m.byAddr[web].share
	pulling.Parts = append(parts[:3:3], event.Part{Name: "3dd408e4e8d4", State: event.PartDownloading, Current: 1, Total: 900e6})
	m.Update(batchMsg{pulling})
	if now := m.byAddr[web].share; now != before || before == 0 {
		t.Errorf("the bar went from %v to %v", before, now)
	}
	m.Update(batchMsg{{Type: event.Begin, Address: web, Action: "create"}})
	if strings.Contains(m.View().Content, "2cc3f7d3d7c3") {
		t.Error("the layers are still there when the image is")
	}
}

func TestCtrlC(t *testing.T) {
	m := started(t, 80, 30)
	for _, want := range []string{"Press Ctrl-C again", "Stopping now."} {
		m.Update(ctrlCMsg{})
		if !strings.Contains(m.live(), want) {
			t.Errorf("no %q in:\n%s", want, m.live())
		}
	}
}

func TestColours(t *testing.T) {
	m := newModel("up", addrs(t), start, newPalette(true))
	m.Update(batchMsg(middle(t)))
	if frame := m.live(); !strings.Contains(frame, "\x1b[32m✓\x1b[m container.db") || strings.Contains(frame, "\x1b[38") {
		t.Errorf("not in basic colours: %q", frame)
	}
	if m.paint = newPalette(false); strings.Contains(m.live(), "\x1b") {
		t.Errorf("coloured: %q", m.live())
	}
}

func TestResourceThatNobodyAnnounced(t *testing.T) {
	m := started(t, 80, 30)
	m.Update(batchMsg{{Type: event.Begin, Address: at(t, "container.orphan"), Action: "delete"}})
	if !strings.Contains(m.live(), "container.orphan") {
		t.Error(m.live())
	}
}

func TestListenTakesWhatIsThere(t *testing.T) {
	events := make(chan event.Event, 3)
	for range 3 {
		events <- event.Event{Type: event.Done}
	}
	close(events)
	next := listen(t.Context(), events)
	if got, ok := next().(batchMsg); !ok || len(got) != 3 {
		t.Errorf("got %v", got)
	}
	if got := next(); got != (finishedMsg{complete: true}) {
		t.Errorf("got %v", got)
	}
}

func BenchmarkFrame(b *testing.B) {
	var list []addr.Addr
	for i := range 1000 {
		list = append(list, at(b, fmt.Sprintf("container.c%d", i)))
	}
	m := newModel("up", list, start, newPalette(false))
	for b.Loop() {
		if m.live() == "" {
			b.Fatal(errors.New("nothing"))
		}
	}
}
