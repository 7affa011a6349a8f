package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// recorder stands before the engine and notes the calls that pass.
type recorder struct {
	mu    sync.Mutex
	calls []string
}

// recorded gives a provider whose calls are noted.
func recorded(t *testing.T, w *world) (*Provider, *recorder) {
	t.Helper()
	r := &recorder{}
	socket, ok := strings.CutPrefix(w.p.endpoint.host, "unix://")
	if !ok {
		t.Skip("this test needs the engine on a unix socket")
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	proxy.Transport = transport
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.calls = append(r.calls, req.Method+" "+req.URL.Path)
		r.mu.Unlock()
		proxy.ServeHTTP(rw, req)
	}))
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	host := "tcp://" + server.Listener.Addr().String()
	p, err := New(Options{ConfigDir: t.TempDir(), Getenv: func(k string) string {
		return map[string]string{"DOCKER_HOST": host}[k]
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, r
}

func TestObserveIsOneListCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} {
		c := sleeper(name)
		w.must(w.up(providers.Create, node(c, "1")))
	}
	p, r := recorded(t, w)
	observed, err := p.Observe(w.ctx, w.instance)
	w.must(err)
	var got []string
	for _, o := range observed {
		got = append(got, fmt.Sprint(o.Addr, " ", o.State))
	}
	if diff := cmp.Diff([]string{"container.a ready", "container.b ready", "container.c ready", "network.default ready"}, got); diff != "" {
		t.Error(diff)
	}
	calls := map[string]int{}
	for _, c := range r.calls {
		calls[c]++
	}
	want := map[string]int{"HEAD /_ping": 1, "GET /v1.41/containers/json": 1, "GET /v1.41/networks": 1}
	if _, old := calls["GET /v1.41/containers/json"]; !old { // a newer engine has a newer path
		want = map[string]int{"HEAD /_ping": 1}
		for k := range calls {
			want[k] = 1
		}
	}
	if diff := cmp.Diff(want, calls); diff != "" || len(calls) != 3 {
		t.Errorf("calls: %v", calls)
	}
}

func TestOtherInstancesAreSeenApart(t *testing.T) {
	t.Parallel()
	one, two := newWorld(t), newWorld(t)
	one.must(one.up(providers.Create, node(sleeper("db"), "1")))
	two.must(two.up(providers.Create, node(sleeper("db"), "2")))
	if got := one.observed(named("db")).Identity; got != "1" {
		t.Errorf("one sees %q", got)
	}
	all, err := one.p.ObserveAll(one.ctx)
	one.must(err)
	found := map[string]bool{}
	for _, o := range all {
		if o.Addr == named("db") {
			found[o.Instance.ID+" "+o.Identity] = true
		}
	}
	if !found[one.instance.ID+" 1"] || !found[two.instance.ID+" 2"] {
		t.Errorf("all: %v", slices.Sorted(maps.Keys(found)))
	}
	instances, err := one.p.Instances(one.ctx)
	one.must(err)
	for _, w := range []*world{one, two} {
		if !slices.Contains(instances, w.instance) {
			t.Errorf("%v is missing from %v", w.instance, instances)
		}
	}
	// A name that is taken by something else is never touched.
	if err := one.applyOverForeign(); err == nil || !strings.Contains(err.Error(), "not this environment's") {
		t.Errorf("error %v", err)
	}
}

// applyOverForeign applies a container whose name somebody else's container has.
func (w *world) applyOverForeign() error {
	c := sleeper("foreign")
	change := w.change(providers.Create, node(c, "1"))
	made, err := w.p.api.ContainerCreate(w.ctx, &container.Config{Image: base, Cmd: []string{"true"}}, nil, nil, nil, containerName(w.instance, c.Addr))
	if err != nil {
		return err
	}
	err = w.p.Apply(w.ctx, change, w.sink)
	return errors.Join(err, w.p.api.ContainerRemove(w.ctx, made.ID, container.RemoveOptions{}))
}

func TestLogsAndExec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("app", "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exec sleep 600")
	w.must(w.up(providers.Create, node(c, "1")))
	o := w.observed(c.Addr)
	var out, errs bytes.Buffer
	code, err := w.p.Exec(w.ctx, o, providers.ExecOptions{
		Command: []string{"/bin/sh", "-c", "cat; echo $WHO $PWD >&2; id -u; exit 5"}, Stdin: strings.NewReader("given\n"),
		Stdout: &out, Stderr: &errs, Env: []string{"WHO=me"}, WorkingDir: "/tmp", User: "1000",
	})
	w.must(err)
	if code != 5 || out.String() != "given\n1000\n" || errs.String() != "me /tmp\n" {
		t.Errorf("exec: %d, %q, %q", code, out.String(), errs.String())
	}
	out.Reset()
	code, err = w.p.Exec(w.ctx, o, providers.ExecOptions{Command: []string{"tty"}, TTY: true, Stdout: &out})
	w.must(err)
	if code != 0 || !strings.HasPrefix(out.String(), "/dev/") {
		t.Errorf("exec with a terminal: %d, %q", code, out.String())
	}

	out.Reset()
	errs.Reset()
	w.must(w.p.Logs(w.ctx, o, providers.LogOptions{}, &out, &errs))
	if out.String() != "out 1\nout 2\nout 3\n" || errs.String() != "err 1\nerr 2\nerr 3\n" {
		t.Errorf("log: %q, %q", out.String(), errs.String())
	}
	out.Reset()
	w.must(w.p.Logs(w.ctx, o, providers.LogOptions{Tail: 1, Timestamps: true}, &out, &out))
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "Z ") {
		t.Errorf("the log's last line: %q", out.String())
	}
	ctx, cancel := context.WithCancel(w.ctx)
	seen := errors.New("seen")
	follow := &lineWriter{line: func(line string) error {
		if line == "out 3" {
			cancel()
			return seen
		}
		return nil
	}}
	if err := w.p.Logs(ctx, o, providers.LogOptions{Follow: true}, follow, &errs); !errors.Is(err, seen) {
		t.Errorf("following: %v", err)
	}
}

func TestStateOf(t *testing.T) {
	for _, test := range []struct {
		state, status string
		want          providers.State
		detail        string
	}{
		{"running", "Up 2 hours", providers.Ready, ""},
		{"running", "Up 2 hours (healthy)", providers.Ready, ""},
		{"running", "Up 2 hours (unhealthy)", providers.Failed, unhealthy},
		{"running", "Up 1 second (health: starting)", providers.Starting, "its health check has not passed yet"},
		{"running", "Up 1 minute (Paused)", providers.Ready, ""},
		{"paused", "Up 1 minute (Paused)", providers.Stopped, "paused"},
		{"created", "Created", providers.Failed, providers.Incomplete},
		{"restarting", "Restarting (1) 2 seconds ago", providers.Starting, "restarting after exit code 1"},
		{"exited", "Exited (0) 1 minute ago", providers.Stopped, "exited with code 0"},
		{"exited", "Exited (143) 1 minute ago", providers.Stopped, "exited with code 143"},
		{"exited", "Exited (1) 1 minute ago", providers.Failed, "exited with code 1"},
		{"dead", "Dead", providers.Failed, "dead"},
	} {
		if state, detail := stateOf(test.state, test.status); state != test.want || detail != test.detail {
			t.Errorf("%s, %s: %s, %s", test.state, test.status, state, detail)
		}
	}
}

func TestLabelsComeBack(t *testing.T) {
	p := &Provider{version: "1"}
	c := providers.Change{Instance: providers.Instance{Environment: "e", ID: "i", SpecDir: "/spec"}, Node: providers.Node{
		Addr: addr.Addr{Template: "x", Kind: addr.Container, Name: "n", Key: `a,"b`}, Identity: "id",
		Parts: map[string]string{"image": "x"},
		After: []addr.Addr{{Kind: addr.Network, Name: "default"}, {Kind: addr.Container, Name: "n", Key: `c,"d\`}},
	}}
	labels, err := p.nodeLabels(c)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := fromLabels(labels)
	want := providers.Observed{Addr: c.Node.Addr, Identity: "id", Parts: c.Node.Parts, After: c.Node.After, Instance: c.Instance}
	if diff := cmp.Diff(want, o); !ok || diff != "" {
		t.Error(diff)
	}
	for _, bad := range []map[string]string{nil, {labelAddress: "host", labelInstance: "i"}, {labelAddress: "container.x"}, {labelInstance: "i", labelShared: "x"}} {
		if _, ok := fromLabels(bad); ok {
			t.Errorf("%v counts as ours", bad)
		}
	}
}
