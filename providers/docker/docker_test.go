package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"go.uber.org/goleak"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/secret"
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
	p := engine(t, Options{Version: "test"})
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	id := hex.EncodeToString(random)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, p: p, instance: providers.Instance{Environment: "dockertest-" + id, ID: "i" + id, SpecDir: t.TempDir()}}
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

func TestLifecycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("db")
	c.Env = map[string]secret.Text{"NAME": secret.Plain("one"), "PASSWORD": {Value: "planted-secret", Sensitive: true}}
	c.Labels = map[string]string{"team": "blue", MetaPrefix + "endpoint": "10.0.0.1:5986", labelIdentity: "forged"}
	c.Aliases = []string{"database"}
	n := node(c, "id-1")
	n.Parts = map[string]string{"image": base, "long": strings.Repeat("x", 100)}
	w.must(w.up(providers.Create, n))

	o := w.observed(c.Addr)
	if o.State != providers.Ready || o.Identity != "id-1" || o.Mutable != "" || !slices.Equal(o.After, []addr.Addr{networkAddr}) {
		t.Errorf("observed %+v", o)
	}
	if o.Meta["endpoint"] != "10.0.0.1:5986" || o.Parts["image"] != base || len(o.Parts["long"]) > maxPart {
		t.Errorf("observed meta %v, parts %v", o.Meta, o.Parts)
	}
	if sameInstance(o.Instance, w.instance) == false || o.Instance.SpecDir != w.instance.SpecDir {
		t.Errorf("observed instance %+v", o.Instance)
	}
	if got := w.run(c.Addr, "/bin/sh", "-c", "echo $NAME; getent hosts database db | awk '{print $2}'; hostname"); got != "one\ndatabase\ndb\ndb" {
		t.Errorf("in the container: %q", got)
	}

	w.must(w.p.Remove(w.ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink))
	w.must(w.p.Remove(w.ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink)) // again is no error
	if got := w.observed(c.Addr).State; got != providers.Missing {
		t.Errorf("after Remove it is %s", got)
	}
}

func TestNetworkIsAdoptedOrRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	again := providers.Change{Action: providers.Create, Instance: w.instance, Node: providers.Node{Addr: networkAddr, Identity: "network", Body: &providers.Network{}}}
	w.must(w.p.Apply(w.ctx, again, w.sink)) // another run made it since it was observed
	w.must(w.p.WaitReady(w.ctx, again, w.sink))

	// Another instance whose names come to the same.
	again.Instance.Environment = strings.TrimSuffix(w.instance.Environment, w.instance.Environment[10:])
	again.Instance.ID = w.instance.Environment[11:] + "-" + w.instance.ID
	if networkName(again.Instance) != networkName(w.instance) {
		t.Fatalf("%s is not %s", networkName(again.Instance), networkName(w.instance))
	}
	if err := w.p.Apply(w.ctx, again, w.sink); err == nil || !strings.Contains(err.Error(), "not this environment's") {
		t.Errorf("error %v", err)
	}
	c := sleeper("app")
	c.Volumes = []envspec.Volume{{Name: "data", Target: "/data"}}
	w.must(w.p.ensureVolumes(w.ctx, w.instance, c))
	if err := w.p.ensureVolumes(w.ctx, again.Instance, c); err == nil || !strings.Contains(err.Error(), "not this environment's") {
		t.Errorf("error %v", err)
	}
}

func TestReplaceKeepsVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("db", "echo $WHO >> /data/log; exec sleep 600")
	c.Volumes = []envspec.Volume{{Name: "data", Target: "/data"}}
	c.Env = map[string]secret.Text{"WHO": secret.Plain("first")}
	c.Ready = &envspec.Ready{Exec: []string{"test", "-s", "/data/log"}}
	w.must(w.up(providers.Create, node(c, "1")))
	first := w.observed(c.Addr).Handle

	c.Env = map[string]secret.Text{"WHO": secret.Plain("second")}
	c.Ready = &envspec.Ready{Exec: []string{"grep", "-q", "second", "/data/log"}}
	w.must(w.up(providers.Replace, node(c, "2")))
	o := w.observed(c.Addr)
	if o.Handle == first || o.Identity != "2" {
		t.Errorf("not replaced: %+v", o)
	}
	if got := w.run(c.Addr, "cat", "/data/log"); got != "first\nsecond" {
		t.Errorf("the volume holds %q", got)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	c.Files = []envspec.File{
		{Path: "/etc/app/deep/plain.conf", Content: secret.Plain("plain")},
		{Path: "/run/secrets/key", Content: secret.Text{Value: "hidden-key", Sensitive: true}, UID: 1000, GID: 1001},
		{Path: "/usr/local/bin/tool", Content: secret.Plain("#!/bin/sh\necho tool\n"), Mode: 0o755},
		{Path: "/etc/app/changing", Content: secret.Plain("before"), Mutable: true},
	}
	n := node(c, "1")
	n.Mutable = "m1"
	w.must(w.up(providers.Create, n))
	got := w.run(c.Addr, "stat", "-c", "%n %a %u:%g", "/etc", "/etc/app", "/etc/app/deep", "/etc/app/deep/plain.conf", "/run/secrets", "/run/secrets/key", "/usr/local/bin/tool", "/usr/local/bin")
	want := "/etc 755 0:0\n/etc/app 755 0:0\n/etc/app/deep 755 0:0\n/etc/app/deep/plain.conf 644 0:0\n/run/secrets 755 0:0\n/run/secrets/key 400 1000:1001\n/usr/local/bin/tool 755 0:0\n/usr/local/bin 755 0:0"
	if got != want {
		t.Errorf("files:\n%s\nwant:\n%s", got, want)
	}
	if got := w.run(c.Addr, "tool"); got != "tool" {
		t.Errorf("tool said %q", got)
	}

	before := w.observed(c.Addr)
	c.Files[3].Content = secret.Plain("after")
	n.Mutable = "m2"
	w.must(w.up(providers.Update, n))
	after := w.observed(c.Addr)
	if after.Handle != before.Handle || before.Mutable != "m1" || after.Mutable != "m2" {
		t.Errorf("update: %+v, then %+v", before, after)
	}
	if got := w.run(c.Addr, "cat", "/etc/app/changing", "/run/secrets/key"); got != "afterhidden-key" {
		t.Errorf("the files hold %q", got)
	}
}

func TestIncompleteCreationIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("half")
	change := w.change(providers.Create, node(c, "1"))
	// What a kill between create and start leaves.
	_, err := w.p.create(w.ctx, change, c, w.sink)
	w.must(err)
	o := w.observed(c.Addr)
	if o.State != providers.Failed || o.Detail != providers.Incomplete || o.Identity != "" {
		t.Errorf("observed %+v", o)
	}
	w.must(w.up(providers.Replace, node(c, "1")))
	if o := w.observed(c.Addr); o.State != providers.Ready || o.Identity != "1" {
		t.Errorf("after replacing: %+v", o)
	}
	// And by a run that observed before the other made it.
	w.must(w.up(providers.Create, node(c, "1")))
}

func TestStoppedIsStartedByUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	n := node(c, "1")
	w.must(w.up(providers.Create, n))
	id := w.observed(c.Addr).Handle
	w.must(w.p.api.ContainerStop(w.ctx, id, container.StopOptions{}))
	if o := w.observed(c.Addr); o.State != providers.Stopped || !strings.HasPrefix(o.Detail, "exited with code") {
		t.Errorf("observed %+v", o)
	}
	w.must(w.up(providers.Update, n))
	w.must(w.p.api.ContainerPause(w.ctx, id))
	if o := w.observed(c.Addr); o.State != providers.Stopped || o.Detail != "paused" {
		t.Errorf("observed %+v", o)
	}
	w.must(w.up(providers.Update, n))
	if o := w.observed(c.Addr); o.State != providers.Ready || o.Handle != id {
		t.Errorf("observed %+v", o)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("bad")
	c.Command, c.Init = []string{"/no/such/program"}, false
	err := w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("error %v", err)
	}
	list, err := w.p.api.ContainerList(w.ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelInstance+"="+w.instance.ID))})
	w.must(err)
	if len(list) != 0 {
		t.Errorf("left behind: %+v", list)
	}
}

func TestSecretStaysHidden(t *testing.T) {
	t.Parallel()
	const planted = "planted-s3cret"
	w := newWorld(t)
	c := shell("leaky", "echo the password is $PASSWORD; exit 3")
	c.Env = map[string]secret.Text{"PASSWORD": {Value: planted, Sensitive: true}}
	c.Files = []envspec.File{{Path: "/secret", Content: secret.Text{Value: planted + "\nmore-hidden", Sensitive: true}}}
	c.Ready = &envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo $PASSWORD; exit 1"}}
	n := node(c, "1")
	err := w.up(providers.Create, n)
	if err == nil || !strings.Contains(err.Error(), secret.Mask) {
		t.Fatalf("error %v", err)
	}
	// A check that fails while the container runs.
	c2 := sleeper("checked")
	c2.Env, c2.Ready = c.Env, &envspec.Ready{Exec: c.Ready.Exec, Retries: 2}
	err2 := w.up(providers.Create, node(c2, "1"))
	// And a build that prints its argument.
	c3 := sleeper("built")
	c3.Image = ""
	c3.Build = &envspec.Build{Inline: "FROM " + base + "\nARG PASSWORD\nRUN echo \"got $PASSWORD\" && false\n", Args: c.Env}
	err3 := w.up(providers.Create, node(c3, "1"))
	for _, text := range []string{err.Error(), fmt.Sprint(err2), fmt.Sprint(err3), w.said()} {
		if strings.Contains(text, planted) || strings.Contains(text, "more-hidden") {
			t.Errorf("the secret is in %q", text)
		}
	}
	if !strings.Contains(w.said(), "got "+secret.Mask) {
		t.Errorf("the build's output is missing from %s", w.said())
	}
	containers, err := w.p.api.ContainerList(w.ctx, container.ListOptions{All: true, Filters: instanceFilter(w.instance)})
	w.must(err)
	for _, is := range containers {
		if labels := fmt.Sprint(slices.Collect(maps.Values(is.Labels))); strings.Contains(labels, planted) {
			t.Errorf("the secret is in the labels %s", labels)
		}
	}
}
