package windows

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestProvider(t *testing.T, h *helper) *Provider {
	t.Helper()
	p := newProvider(h.dial)
	t.Cleanup(func() { _ = p.Close(); h.cut() })
	return p
}

func fileLayer(path, content string) guestproto.Layer {
	text := secret.Plain(content)
	return guestproto.Layer{Kind: "file", Name: path, File: &guestproto.File{Content: &text}}
}

func sourceLayer(t *testing.T, to string, content []byte) guestproto.Layer {
	t.Helper()
	from := filepath.Join(t.TempDir(), "big.bin")
	if err := os.WriteFile(from, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return guestproto.Layer{Kind: "file", Name: to, File: &guestproto.File{Source: &guestproto.Source{
		Path: from, SHA256: hex.EncodeToString(sum[:]), Name: "big.bin", Size: int64(len(content))}}}
}

func observeOne(t *testing.T, p *Provider, m *envspec.Machine) providers.Observed {
	t.Helper()
	o, err := p.Observe(t.Context(), instance(), []*envspec.Machine{m})
	if err != nil || len(o) != 1 {
		t.Fatalf("Observe: %v, %v", o, err)
	}
	return o[0]
}

func TestStackComesAndGoes(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	m := machine(fileLayer(a, "1"), fileLayer(b, "1"), fileLayer(c, "1"))

	if o := observeOne(t, p, m); o.State != providers.Missing || o.Manifest != nil || h.there.Load() {
		t.Fatalf("a fresh machine: %+v, helper brought: %t", o, h.there.Load())
	}
	var l log
	if err := p.Apply(t.Context(), change(m, 0), l.sink); err != nil {
		t.Fatal(err)
	}
	if !exists(t, a) || !exists(t, c) {
		t.Error("the files are not there")
	}
	o := observeOne(t, p, m)
	if o.State != providers.Ready || len(o.Manifest.Layers) != 3 || o.Manifest.Layers[2].Hash != HashLayers(m.Layers)[2].Hash {
		t.Fatalf("observed %+v", o)
	}

	edited := machine(fileLayer(a, "1"), fileLayer(b, "2"), fileLayer(c, "1"))
	l = log{}
	if err := p.Apply(t.Context(), change(edited, 1), l.sink); err != nil {
		t.Fatal(err)
	}
	want := []string{"undo file." + c, "undo file." + b, "apply file." + b, "apply file." + c}
	if !slices.Equal(l.steps(), want) {
		t.Errorf("steps %q, want %q", l.steps(), want)
	}

	if h.dials.Load() > 3 {
		t.Errorf("connected %d times", h.dials.Load())
	}
	if err := p.Remove(t.Context(), providers.Change{Action: providers.Delete, Instance: instance(), Observed: &o}, l.sink); err != nil {
		t.Fatal(err)
	}
	if exists(t, a) || exists(t, b) || exists(t, c) || exists(t, filepath.Join(h.dir, "manifest.json")) {
		t.Error("something was left behind")
	}
	if err := p.Remove(t.Context(), providers.Change{Action: providers.Delete, Instance: instance(), Observed: &o}, l.sink); err != nil {
		t.Errorf("what is gone already: %v", err)
	}
}

func TestUnknownKeepIsTakenFromTheManifest(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := p.Apply(t.Context(), change(machine(fileLayer(a, "1"), fileLayer(b, "1")), providers.KeepUnknown), new(log).sink); err != nil {
		t.Fatal(err)
	}
	var l log
	if err := p.Apply(t.Context(), change(machine(fileLayer(a, "1"), fileLayer(b, "2")), providers.KeepUnknown), l.sink); err != nil {
		t.Fatal(err)
	}
	if want := []string{"undo file." + b, "apply file." + b}; !slices.Equal(l.steps(), want) {
		t.Errorf("steps %q, want %q", l.steps(), want)
	}
}

func TestUploadOnceWithProgress(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	content := make([]byte, 3<<20)
	rand.Read(content)
	to := filepath.Join(t.TempDir(), "out.bin")
	m := machine(sourceLayer(t, to, content))
	var l log
	c := change(m, 0)
	if err := p.Prepare(t.Context(), c, l.sink); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), c, l.sink); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes arrived, %v", len(got), err)
	}
	uploads := func() (n int, last event.Event) {
		for _, e := range l.events {
			if strings.HasPrefix(e.Message, "upload ") {
				n, last = n+1, e
			}
		}
		return n, last
	}
	n, last := uploads()
	if n == 0 || last.Current != 3<<20 || last.Total != 3<<20 {
		t.Errorf("%d progress events, the last %+v", n, last)
	}
	// The content is in the cache: under another layer it is not sent again.
	l.events = nil
	again := machine(m.Layers[0], fileLayer(filepath.Join(t.TempDir(), "x"), "x"))
	again.Layers[0].Name = filepath.Join(t.TempDir(), "other.bin")
	if err := p.Apply(t.Context(), change(again, 0), l.sink); err != nil {
		t.Fatal(err)
	}
	if n, _ := uploads(); n != 0 {
		t.Errorf("sent again: %d events", n)
	}
}

func TestSourceThatChangedAfterThePlan(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	m := machine(sourceLayer(t, filepath.Join(t.TempDir(), "out"), []byte("planned")))
	src := m.Layers[0].File.Source
	if err := os.WriteFile(src.Path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := p.Apply(t.Context(), change(m, 0), new(log).sink)
	if err == nil || !strings.Contains(err.Error(), "changed since the plan was made") {
		t.Errorf("Apply() = %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "cache", "*")); len(left) != 0 {
		t.Errorf("left in the cache: %q", left)
	}
	src.Size = 3
	if err := p.Prepare(t.Context(), change(m, 0), nil); err == nil || !strings.Contains(err.Error(), "changed since the plan was made") {
		t.Errorf("Prepare() = %v", err)
	}
	os.Remove(src.Path)
	if err := p.Prepare(t.Context(), change(m, 0), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Prepare() = %v", err)
	}
}

func TestFailingLayerNamesItselfAndNoSecret(t *testing.T) {
	const planted = "pl4nted-Passw0rd"
	h := newHelper(t)
	p := newTestProvider(t, h)
	text := secret.Text{Value: planted, Sensitive: true}
	dir := t.TempDir()
	m := machine(
		guestproto.Layer{Kind: "file", Name: filepath.Join(dir, "secret"), File: &guestproto.File{Content: &text}},
		guestproto.Layer{Kind: "file", Name: filepath.Join(dir, "secret", "under-a-file"), File: &guestproto.File{Content: &text}},
	)
	var l log
	err := p.Apply(t.Context(), change(m, 0), l.sink)
	if err == nil || !strings.Contains(err.Error(), "under-a-file") {
		t.Errorf("Apply() = %v", err)
	}
	if strings.Contains(l.text()+err.Error(), planted) {
		t.Errorf("the secret is in\n%s%v", l.text(), err)
	}
	if o := observeOne(t, p, m); o.State != providers.Failed || !strings.Contains(o.Detail, "is not complete") {
		t.Errorf("observed %+v", o)
	}
}

func TestForeignMachineIsLeftAlone(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	path := filepath.Join(t.TempDir(), "a")
	m := machine(fileLayer(path, "theirs"))
	theirs := change(m, 0)
	theirs.Instance = providers.Instance{Environment: "billing", ID: "ci-7", SpecDir: "/src/billing"}
	if err := p.Apply(t.Context(), theirs, new(log).sink); err != nil {
		t.Fatal(err)
	}
	o := observeOne(t, p, m)
	if o.State != providers.Failed || o.Manifest != nil || !strings.Contains(o.Detail, `"billing", instance "ci-7" from /src/billing`) {
		t.Errorf("observed %+v", o)
	}
	if err := p.Apply(t.Context(), change(machine(fileLayer(path, "ours")), 0), new(log).sink); err == nil || !strings.Contains(err.Error(), "billing") {
		t.Errorf("Apply() = %v", err)
	}
	if err := p.Remove(t.Context(), providers.Change{Instance: instance(), Observed: &o}, new(log).sink); err != nil {
		t.Errorf("Remove() = %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "theirs" {
		t.Errorf("the file holds %q", got)
	}
}

func TestUnreachable(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	m := machine()
	h.away.Store(true)
	if o := observeOne(t, p, m); o.State != providers.Unreachable || !strings.Contains(o.Detail, "refused") {
		t.Errorf("observed %+v", o)
	}
	p.observeLimit = 20 * time.Millisecond
	p.pool.dial = func(ctx context.Context, _ *envspec.Machine, _ bool, _ event.Sink) (*conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if o := observeOne(t, p, m); o.State != providers.Unreachable || !strings.Contains(o.Detail, "no answer from machine.test within 20ms") {
		t.Errorf("observed %+v", o)
	}
}

func TestWaitReady(t *testing.T) {
	h := newHelper(t)
	p := newTestProvider(t, h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	l.Close()
	m := machine()
	m.Ports = []envspec.Port{{Name: "api", Guest: at.Port, Protocol: "tcp"}}
	m.Ready = &envspec.Ready{TCP: &envspec.TCPCheck{Port: "api"}, Interval: time.Millisecond, StartPeriod: 30 * time.Second}
	var seen log
	first := make(chan struct{})
	var opened net.Listener
	go func() {
		defer close(first)
		for !strings.Contains(seen.text(), "refused") {
			time.Sleep(time.Millisecond)
		}
		h.cut() // and the connection is lost on the way
		opened, err = net.Listen("tcp", at.String())
	}()
	if waitErr := p.WaitReady(t.Context(), change(m, 0), seen.sink); waitErr != nil {
		t.Error(waitErr)
	}
	<-first
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()

	m.Ready.StartPeriod = 50 * time.Millisecond
	if err := p.WaitReady(t.Context(), change(m, 0), seen.sink); err == nil ||
		!strings.Contains(err.Error(), "not ready within 50ms") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("WaitReady() = %v", err)
	}
	m.Ready.StartPeriod, m.Ready.Retries = 0, 2
	if err := p.WaitReady(t.Context(), change(m, 0), seen.sink); err == nil || !strings.Contains(err.Error(), "after 3 tries") {
		t.Errorf("WaitReady() = %v", err)
	}
	m.Ready.TCP.Port = "web"
	if err := p.WaitReady(t.Context(), change(m, 0), seen.sink); err == nil || !strings.Contains(err.Error(), `no port "web"`) {
		t.Errorf("WaitReady() = %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	cancel(stop)
	m.Ready.TCP.Port = "api"
	if err := p.WaitReady(ctx, change(m, 0), seen.sink); !errors.Is(err, stop) {
		t.Errorf("WaitReady() = %v", err)
	}
}

func TestClosedProviderSaysSo(t *testing.T) {
	p := newTestProvider(t, newHelper(t))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), change(machine(), 0), new(log).sink); err == nil {
		t.Error("a closed provider went on")
	}
}
