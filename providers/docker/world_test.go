package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// base is the one image that the tests need.
const base = "debian:trixie-slim"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an instance of its own on the real engine.
type world struct {
	t        *testing.T
	ctx      context.Context
	p        *Provider
	instance providers.Instance
	mu       sync.Mutex
	events   []event.Event
}

var networkAddr = addr.Addr{Kind: addr.Network, Name: "default"}

// newWorld gives an instance with its network, and removes all that carries its name in the end.
func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOn(t, engine(t, Options{Version: "test"}))
}

// withBuilders runs a test with BuildKit and with the classic builder.
func withBuilders(t *testing.T, test func(t *testing.T, w *world)) {
	for name, setting := range map[string]string{"BuildKit": "1", "classic": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, worldOn(t, builderEngine(t, setting)))
		})
	}
}

// builderEngine gives a provider that builds with BuildKit, "1", or without, "0".
func builderEngine(t *testing.T, setting string) *Provider {
	t.Helper()
	return engine(t, Options{Version: "test", Getenv: func(k string) string {
		if k == "DOCKER_BUILDKIT" {
			return setting
		}
		return os.Getenv(k)
	}})
}

func worldOn(t *testing.T, p *Provider) *world {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	id := hex.EncodeToString(random)
	return worldOf(t, p, providers.Instance{Environment: "dockertest-" + id, ID: "i" + id, SpecDir: t.TempDir()})
}

func worldOf(t *testing.T, p *Provider, i providers.Instance) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, p: p, instance: i}
	t.Cleanup(w.removeAll)
	w.must(p.Apply(ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: providers.Node{Addr: networkAddr, Identity: "network", Body: &providers.Network{}}}, w.sink))
	return w
}

// engine gives a provider for the engine that the tests run against.
func engine(t *testing.T, opts Options) *Provider {
	t.Helper()
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if err := p.Ping(t.Context()); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("this test needs a Docker engine:", err)
	}
	if there, err := p.imagePresent(t.Context(), base, ""); err != nil || !there {
		t.Fatalf("this test needs the image %s on the engine (docker pull %s): %v", base, base, err)
	}
	return p
}

func (w *world) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	observed, err := w.p.Observe(ctx, w.instance)
	if err != nil {
		w.t.Error(err)
	}
	slices.SortStableFunc(observed, func(a, b providers.Observed) int { // the network last
		return strings.Compare(string(a.Addr.Kind), string(b.Addr.Kind))
	})
	for _, o := range observed {
		if o.Addr.Kind != addr.Network {
			_ = w.p.api.ContainerKill(ctx, o.Handle, "KILL") // so that none uses up its grace
		}
		if err := w.p.Remove(ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink); err != nil {
			w.t.Error(err)
		}
	}
	if err := w.p.RemoveVolumes(ctx, w.instance); err != nil {
		w.t.Error(err)
	}
	if err := w.p.removeOwnImages(ctx, w.instance); err != nil {
		w.t.Error(err)
	}
	left, err := w.p.Leftovers(ctx, w.instance)
	if err != nil || len(left) > 0 {
		w.t.Errorf("left behind: %v %v", left, err)
	}
}

func (w *world) sink(e event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// said gives all events as text.
func (w *world) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, e := range w.events {
		fmt.Fprintf(&b, "%s %s %s\n", e.Type, e.Message, e.Error)
	}
	return b.String()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// node gives the node of a container, with a hash of its own for identity.
func node(c *envspec.Container, identity string) providers.Node {
	return providers.Node{Addr: c.Addr, Identity: identity, Body: c, After: []addr.Addr{networkAddr}}
}

func named(name string) addr.Addr { return addr.Addr{Kind: addr.Container, Name: name} }

// sleeper is a container that runs until it is stopped.
func sleeper(name string) *envspec.Container {
	return shell(name, "exec sleep 600")
}

// shell is a container that runs a script and ends at once when it is asked to.
func shell(name, script string) *envspec.Container {
	return &envspec.Container{
		Addr: named(name), Image: base, Command: []string{"/bin/sh", "-c", script}, Init: true, StopGrace: time.Second,
	}
}

func (w *world) change(action providers.Action, n providers.Node) providers.Change {
	w.t.Helper()
	c := providers.Change{Action: action, Instance: w.instance, Node: n}
	if action != providers.Create {
		o := w.observed(n.Addr)
		c.Observed = &o
	}
	return c
}

// up prepares, applies and waits.
func (w *world) up(action providers.Action, n providers.Node) error {
	w.t.Helper()
	c := w.change(action, n)
	if err := w.p.Prepare(w.ctx, c, w.sink); err != nil {
		return err
	}
	if err := w.p.Apply(w.ctx, c, w.sink); err != nil {
		return err
	}
	return w.p.WaitReady(w.ctx, c, w.sink)
}

// eventually waits until a resource is observed as it should be: an engine's list of containers (26.1, say) may be
// some milliseconds behind what it just did.
func (w *world) eventually(a addr.Addr, as func(providers.Observed) bool) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		o := w.observed(a)
		if as(o) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("observed %+v", o)
		}
		w.must(wait(w.ctx, 10*time.Millisecond))
	}
}

func (w *world) observed(a addr.Addr) providers.Observed {
	w.t.Helper()
	all, err := w.p.Observe(w.ctx, w.instance)
	w.must(err)
	for _, o := range all {
		if o.Addr == a {
			return o
		}
	}
	return providers.Observed{Addr: a, State: providers.Missing}
}

// run runs a command in a container and gives what it printed.
func (w *world) run(a addr.Addr, command ...string) string {
	w.t.Helper()
	var out strings.Builder
	code, err := w.p.Exec(w.ctx, w.observed(a), providers.ExecOptions{Command: command, Stdout: &out, Stderr: &out})
	w.must(err)
	if code != 0 {
		w.t.Fatalf("%v in %s ended with %d: %s", command, a, code, out.String())
	}
	return strings.TrimSpace(out.String())
}
