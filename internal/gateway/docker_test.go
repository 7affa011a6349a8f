package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/egress/egresstest"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/gateway"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
	"github.com/envctl/envctl/providers/windows"
)

// world is a network with a sandbox, its gateway, and one container at each end of the wires.
type world struct {
	t         *testing.T
	instance  providers.Instance
	docker    *docker.Provider
	box       *sandboxtest.Sandbox
	company   *egresstest.Proxy // whose CA signed the machine's certificate
	peer      string            // the test's peer for Linux
	peerWin   string
	node      []byte
	guest     []byte
	gateway   string // container id
	body      *envspec.Container
	asker, db string
}

// page is what the container behind the reverse wire serves.
const page = "the row that only db holds"

func newWorld(t *testing.T) *world {
	t.Helper()
	sandboxtest.RequireDocker(t)
	w := &world{t: t, instance: providers.Instance{Environment: "gatewaytest", ID: strings.ToLower(rand.Text()[:8])}}
	w.peer, w.peerWin = sandboxtest.Build(t, "./testdata/peer", "linux"), sandboxtest.Build(t, "./testdata/peer", "windows")
	w.node, w.guest = sandboxtest.Node(t), sandboxtest.Guest(t)

	var err error
	if w.docker, err = docker.New(docker.Options{Version: "test"}); err != nil {
		t.Fatal(err)
	}
	network := addr.Addr{Kind: addr.Network, Name: "default"}
	w.apply(providers.Node{Addr: network, Identity: "1", Body: &providers.Network{}})
	name := "gatewaytest-" + w.instance.ID
	t.Cleanup(func() { w.run("docker", "network", "rm", name); w.docker.Close() })
	w.company = egresstest.Start(t, "127.0.0.1", "")
	w.box = sandboxtest.Start(t, sandboxtest.OnNetwork(name, "machine"), sandboxtest.WithCertificate(w.company.Certificate("machine", "127.0.0.1")))
	start := func(as string, command ...string) string {
		id := w.run("docker", append([]string{"create", "--init", "--name", name + "-" + as, "--network", name, "--network-alias", as, "debian:trixie-slim"}, command...)...)
		t.Cleanup(func() { w.run("docker", "rm", "--force", id) })
		w.run("docker", "cp", w.peer, id+":/peer")
		w.run("docker", "start", id)
		return id
	}
	w.db = start("db", "/peer", "serve", ":9000", page)
	w.asker = start("asker", "sleep", "infinity")
	return w
}

// run runs a command on the host; a failure ends the test.
func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(w.t.Context()), name, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) apply(n providers.Node) {
	w.t.Helper()
	c := providers.Change{Action: providers.Create, Instance: w.instance, Node: n}
	if w.gateway != "" && n.Addr.Kind == addr.Gateway {
		c.Action, c.Observed = providers.Update, &providers.Observed{Addr: n.Addr, Handle: w.gateway, State: providers.Ready}
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	say := func(event.Event) {}
	if err := w.docker.Apply(ctx, c, say); err != nil {
		w.t.Fatalf("apply %s: %v", n.Addr, err)
	}
	if err := w.docker.WaitReady(ctx, c, say); err != nil {
		w.t.Fatalf("wait for %s: %v", n.Addr, err)
	}
}

// machine is the sandbox as the spec's block and a vantage make it.
func (w *world) machine(address string, port int) *envspec.Machine {
	return &envspec.Machine{
		Addr: addr.Addr{Kind: addr.Windows, Name: "pas"}, Sandbox: true, Address: address,
		WinRM: envspec.WinRM{User: w.box.User, Password: secret.Text{Value: w.box.Password, Sensitive: true}, Port: port,
			HTTPS: true, Auth: "ntlm", ExtraCA: w.company.CA},
		Ports: []envspec.Port{{Name: "api", Guest: 8080, Protocol: "tcp"}},
	}
}

// fromHost is the machine as the host reaches it now: a restart publishes another port.
func (w *world) fromHost() *envspec.Machine {
	w.t.Helper()
	m := w.machine("127.0.0.1", w.box.HTTPSPort)
	m.Ready = &envspec.Ready{HTTP: &envspec.HTTPCheck{Port: "api", Path: "/health"}, StartPeriod: time.Minute}
	exe, err := os.ReadFile(w.peerWin)
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256(exe)
	m.Layers = []guestproto.Layer{
		{Kind: "file", Name: `C:\peer\peer.exe`, File: &guestproto.File{Source: &guestproto.Source{
			Path: w.peerWin, SHA256: hex.EncodeToString(sum[:]), Name: "peer.exe", Size: int64(len(exe))}}},
		{Kind: "service", Name: "peer", Service: &guestproto.Service{
			Command: `C:\peer\peer.exe service 127.0.0.1:8080 http://127.0.0.1:19000/`, Startup: "auto", State: "running"}},
	}
	return m
}

// wire makes the gateway carry wires, in a new container or in the one that runs.
func (w *world) wire(mutable string, wires gateway.Wires) {
	w.t.Helper()
	body, err := gateway.Container(w.machine("machine", sandbox.HTTPSPort), gateway.Params{Node: blob.Of(w.node), Guest: blob.Of(w.guest), Wires: wires})
	if err != nil {
		w.t.Fatal(err)
	}
	body.Build.Tag = "gatewaytest" // not the name that an installed envctl's have
	w.body = body
	w.apply(providers.Node{Addr: body.Addr, Identity: "1", Mutable: mutable, Body: body})
}

func (w *world) status() gateway.Status {
	w.t.Helper()
	out := w.run("docker", append([]string{"exec", w.gateway}, gateway.StatusCommand()...)...)
	s, err := gateway.ParseStatus([]byte(out))
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return s
}

// ready waits until the gateway's own check passes and says how long that took.
func (w *world) ready(what string) {
	w.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(w.t.Context(), 90*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		out, err := exec.CommandContext(ctx, "docker", append([]string{"exec", w.gateway}, w.body.Ready.Exec...)...).CombinedOutput()
		if err == nil {
			w.t.Logf("%s: ready after %s", what, time.Since(began).Round(10*time.Millisecond))
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			w.t.Fatalf("%s: the gateway did not get ready: %s\n%s", what, out, w.run("docker", "logs", w.gateway))
		}
	}
}

// through asks from a container, through the machine, for what another container has.
func (w *world) through(what string) {
	w.t.Helper()
	if got := w.run("docker", "exec", w.asker, "/peer", "get", "http://pas:8080/through"); !strings.Contains(got, page) {
		w.t.Errorf("%s: got %q", what, got)
	}
}

func TestWiresThroughARealSandbox(t *testing.T) {
	w := newWorld(t)
	forward := []gateway.Forward{{Port: "api", Listen: 8080, Guest: 8080}}
	reverse := []gateway.Reverse{{GuestListen: 19000, Dial: "db:9000",
		To: addr.Endpoint{Addr: addr.Addr{Kind: addr.Container, Name: "db"}, Port: "http"}}}
	t.Cleanup(func() {
		name := "gatewaytest-" + w.instance.ID + "-pas"
		out, _ := exec.Command("docker", "logs", name).CombinedOutput()
		t.Logf("the gateway's log:\n%s", out)
		exec.Command("docker", "rm", "--force", name).Run()
		images, _ := exec.Command("docker", "image", "ls", "--quiet", "--filter", "reference=*gatewaytest*").Output()
		for id := range strings.FieldsSeq(string(images)) {
			exec.Command("docker", "image", "rm", "--force", id).Run()
		}
	})
	w.wire("1", gateway.Wires{Forwards: forward})
	w.gateway = w.run("docker", "ps", "--quiet", "--no-trunc", "--filter", "name=gatewaytest-"+w.instance.ID+"-pas")

	win := windows.New(windows.Options{Helper: sandboxtest.Helper(t)})
	t.Cleanup(func() { win.Close() })
	m := w.fromHost()
	var events bytes.Buffer
	say := func(e event.Event) { json.NewEncoder(&events).Encode(e) }
	change := providers.Change{Action: providers.Create, Instance: w.instance,
		Node: providers.Node{Addr: m.Addr, Layers: windows.HashLayers(m.Layers), Body: m}}
	if o, err := win.Observe(t.Context(), w.instance, []*envspec.Machine{m}); err != nil || o[0].State != providers.Missing {
		t.Fatalf("before anything was applied: %+v, %v", o, err)
	}
	if err := win.Apply(t.Context(), change, say); err != nil {
		t.Fatalf("%v\n%s", err, events.String())
	}
	if err := win.WaitReady(t.Context(), change, say); err != nil {
		t.Fatalf("%v\n%s", err, events.String())
	}

	w.wire("2", gateway.Wires{Forwards: forward, Reverse: reverse})
	if now := w.run("docker", "ps", "--quiet", "--no-trunc", "--filter", "name=gatewaytest-"+w.instance.ID+"-pas"); now != w.gateway {
		t.Error("a new wire replaced the gateway")
	}
	if s := w.status(); s.Link.Connections != 1 || len(s.Wires) != 2 {
		t.Errorf("after a new wire: %+v", s)
	}
	w.through("new wire")

	t.Run("gateway restarted", func(t *testing.T) {
		began := time.Now()
		w.run("docker", "stop", "--time", "20", w.gateway)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		w.run("docker", "start", w.gateway)
		w.ready("restarted")
		w.through("restarted")
	})
	t.Run("gateway killed", func(t *testing.T) {
		w.run("docker", "kill", "--signal", "KILL", w.gateway)
		w.run("docker", "start", w.gateway)
		w.ready("killed")
		w.through("killed")
	})
	t.Run("machine rebooted", func(t *testing.T) {
		before := w.status().Link.BootID
		w.box.RestartContainer(t)
		w.ready("rebooted")
		if after := w.status().Link.BootID; after == before || after == "" {
			t.Errorf("boot id %q, before %q", after, before)
		}
		m := w.fromHost()
		change.Node.Body = m
		if err := win.WaitReady(t.Context(), change, say); err != nil {
			t.Error(err)
		}
		w.through("rebooted")
		o, err := win.Observe(t.Context(), w.instance, []*envspec.Machine{m})
		if err != nil || o[0].State != providers.Ready || len(o[0].Manifest.Layers) != 2 || len(o[0].Drifted) != 0 {
			t.Errorf("observed %+v, %v", o, err)
		}
	})
	t.Run("no secret", func(t *testing.T) {
		seen := w.run("docker", "inspect", w.gateway) + w.run("docker", "logs", w.gateway) +
			w.run("docker", "exec", w.gateway, "/envctl-node", "gateway", "status") + w.run("docker", "top", w.gateway) + events.String()
		quoted, _ := json.Marshal(w.box.Password)
		for _, form := range []string{w.box.Password, strings.Trim(string(quoted), `"`)} {
			if strings.Contains(seen, form) {
				t.Error("the password is in the container's configuration, log, status, arguments or in an event")
			}
		}
	})
}
