package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// fakeEngine answers pulls with the streams given, one after the other, and has no image.
func fakeEngine(t *testing.T, streams ...string) (*Provider, *[]string) {
	t.Helper()
	var asked []string
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("GET /v1.41/images/{rest...}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": "No such image"})
	})
	mux.HandleFunc("POST /v1.41/images/create", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("fromImage")+":"+r.URL.Query().Get("tag")+" "+r.URL.Query().Get("platform"))
		stream := streams[min(len(asked), len(streams))-1]
		_, _ = fmt.Fprint(w, stream)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	host := "tcp://" + server.Listener.Addr().String()
	p, err := New(Options{ConfigDir: t.TempDir(), Getenv: func(k string) string {
		return map[string]string{"DOCKER_HOST": host}[k]
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, &asked
}

func TestPull(t *testing.T) {
	t.Parallel()
	p, asked := fakeEngine(t,
		`{"error":"Get https://registry: net/http: TLS handshake timeout"}`,
		`{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}{"status":"Pull complete","id":"a"}`)
	c := sleeper("db")
	c.Image, c.Platform = "ghcr.io/acme/db:1", "linux/amd64"
	var events []event.Event
	change := providers.Change{Action: providers.Create, Node: node(c, "1")}
	sink := func(e event.Event) { events = append(events, e) }
	for range 2 { // the second finds it pulled
		if err := p.Prepare(t.Context(), change, sink); err != nil {
			t.Fatal(err)
		}
	}
	want := "ghcr.io/acme/db:1 linux/amd64"
	if len(*asked) != 2 || (*asked)[0] != want || (*asked)[1] != want {
		t.Errorf("asked for %q", *asked)
	}
	last := events[len(events)-1]
	if last.Type != event.Progress || last.Message != "pulled ghcr.io/acme/db:1" || last.Current != 100 || last.Total != 100 {
		t.Errorf("events %+v", events)
	}
}

func TestPullThatFails(t *testing.T) {
	t.Parallel()
	p, asked := fakeEngine(t, `{"error":"pull access denied for acme/db"}`)
	c := sleeper("db")
	c.Image = "acme/db:1"
	err := p.Prepare(t.Context(), providers.Change{Action: providers.Create, Node: node(c, "1")}, func(event.Event) {})
	if err == nil || !strings.Contains(err.Error(), "docker login docker.io") || len(*asked) != 1 {
		t.Errorf("asked %q, error %v", *asked, err)
	}
	c.Build, c.Image = &envspec.Build{Context: t.TempDir()}, ""
	err = p.Prepare(t.Context(), providers.Change{Action: providers.Create, Node: node(c, "1")}, func(event.Event) {})
	if err == nil || !strings.Contains(err.Error(), "Dockerfile") {
		t.Errorf("a build without a Dockerfile: %v", err)
	}
}

// TestPullPolicy asks a registry of our own, which has nothing, for an image that the engine has.
func TestPullPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var asked atomic.Int64
	registry := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			asked.Add(1)
			rw.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(registry.Close)
	ref := strings.TrimPrefix(registry.URL, "http://") + "/dockertest/there:1"
	w.must(w.p.api.ImageTag(w.ctx, base, ref))
	t.Cleanup(func() { _, _ = w.p.api.ImageRemove(context.WithoutCancel(w.ctx), ref, image.RemoveOptions{}) })

	c := sleeper("app")
	c.Image = ref
	prepare := func(policy string) error {
		c.Pull = policy
		return w.p.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: node(c, "1")}, w.sink)
	}
	for _, policy := range []string{"", "missing", "never"} {
		if err := prepare(policy); err != nil || asked.Load() != 0 {
			t.Errorf("%q: asked %d times, %v", policy, asked.Load(), err)
		}
	}
	if err := prepare("always"); err == nil || asked.Load() == 0 {
		t.Errorf("always: asked %d times, %v", asked.Load(), err)
	}
	asked.Store(0)
	c.Image += "-not"
	if err := prepare("never"); err == nil || asked.Load() != 0 || !strings.Contains(err.Error(), "is not on this engine") {
		t.Errorf("never: asked %d times, %v", asked.Load(), err)
	}
}

func TestEngineOverSSH(t *testing.T) {
	w := newWorld(t)
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("this test needs the docker command (apt install docker-cli)")
	}
	// An ssh that runs the command here.
	bin := t.TempDir()
	script := "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	p := engine(t, Options{ConfigDir: t.TempDir(), Getenv: func(k string) string {
		return map[string]string{"DOCKER_HOST": "ssh://me@far:2222"}[k]
	}})
	near := w.p
	t.Cleanup(func() { w.p = near })
	w.p = p
	c := sleeper("app")
	w.must(w.up(providers.Create, node(c, "1")))
	if got := w.run(c.Addr, "echo", "over ssh"); got != "over ssh" {
		t.Errorf("exec said %q", got)
	}
}
