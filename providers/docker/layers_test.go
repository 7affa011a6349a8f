package docker

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/registrytest"
	"github.com/envctl/envctl/providers"
)

// slowly stands before a registry and lets a layer through at some 6 MB a second, so that it can be watched.
func slowly(t *testing.T, registry string) string {
	t.Helper()
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry})
	p.FlushInterval = -1
	p.Transport = &http.Transport{DisableKeepAlives: true}
	p.ModifyResponse = func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/blobs/") {
			r.Body = &slowBody{r.Body, time.NewTicker(10 * time.Millisecond)}
		}
		return nil
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

type slowBody struct {
	io.ReadCloser
	tick *time.Ticker
}

func (b *slowBody) Read(to []byte) (int, error) {
	<-b.tick.C
	return b.ReadCloser.Read(to[:min(len(to), 64<<10)])
}

func (b *slowBody) Close() error { b.tick.Stop(); return b.ReadCloser.Close() }

// randomLayers are archives of one file each, with so many bytes that nothing packs.
func randomLayers(t *testing.T, sizes ...int) (layers [][]byte) {
	t.Helper()
	for i, size := range sizes {
		content := make([]byte, size)
		_, _ = rand.Read(content) // never fails
		layers = append(layers, archive(t, map[string]string{fmt.Sprintf("file%d", i): string(content)}))
	}
	return layers
}

// TestProgressOfEachLayer pulls an image of several layers, as it is and as the base of a build.
func TestProgressOfEachLayer(t *testing.T) {
	t.Parallel()
	registry := registrytest.Start(t, "")
	for _, builder := range []string{"", "0", "1"} {
		t.Run("builder "+builder, func(t *testing.T) {
			w := worldOn(t, builderEngine(t, builder))
			ref := slowly(t, registry) + "/dockertest/layers" + builder + ":1"
			w.push(strings.Replace(ref, ref[:strings.Index(ref, "/")], registry, 1), randomLayers(t, 5<<20, 2<<20, 1<<20)...)
			t.Cleanup(func() { _, _ = w.p.api.ImageRemove(context.WithoutCancel(w.ctx), ref, image.RemoveOptions{}) })
			c := sleeper("app")
			c.Image = ref
			if builder != "" {
				c.Image, c.Build = "", &envspec.Build{Inline: "FROM " + ref + "\nLABEL a=b\n"}
			}
			w.must(w.p.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: node(c, "1")}, w.sink))
			wantLayers(t, w.events, 3, 8<<20)
		})
	}
}

// wantLayers holds events to an image of so many layers and at least so many bytes: each layer is told of, none goes
// back, and in the end all are done.
func wantLayers(t *testing.T, events []event.Event, layers int, bytes int64) {
	t.Helper()
	order := []string{event.PartWaiting, event.PartDownloading, event.PartDownloaded, event.PartUnpacking, event.PartDone}
	was := map[string]event.Part{}
	var last event.Event
	together := false
	for _, e := range events {
		if len(e.Parts) == 0 {
			continue
		}
		last = e
		moving := 0
		for _, p := range e.Parts {
			before := was[p.Name]
			if slices.Index(order, p.State) < slices.Index(order, before.State) || p.State == before.State && p.Current < before.Current || p.Current > p.Total {
				t.Errorf("%+v came after %+v", p, before)
			}
			was[p.Name] = p
			if p.State == event.PartDownloading && p.Current > 0 && p.Current < p.Total {
				moving++
			}
		}
		together = together || moving > 1
	}
	if !together {
		t.Errorf("no two layers were seen to come at once, in %+v", events)
	}
	if len(last.Parts) != layers || last.Total < bytes || last.Current != last.Total || slices.ContainsFunc(last.Parts, func(p event.Part) bool { return p.State != event.PartDone }) {
		t.Errorf("the last word is %+v", last)
	}
}

// TestRegistryThatRefuses asks a registry of our own through the engine: what may pass is tried again, the rest is said at once.
func TestRegistryThatRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		name   string
		status int
		body   string
		tries  int64
		want   string
	}{
		{"a limit", http.StatusTooManyRequests, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]}`, 1, "limits how much may be pulled; wait, or `docker login "},
		{"a limit in words of its own", http.StatusTooManyRequests, `slow down`, 1, "limits how much may be pulled"},
		{"no access", http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`, 1, "`docker login "},
		{"a fault that may pass", http.StatusServiceUnavailable, `busy`, pullTries, "see that this computer and its Docker engine reach "},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "/manifests/") {
					return
				}
				if r.Method == http.MethodGet {
					asked.Add(1)
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(test.status)
				_, _ = io.WriteString(rw, test.body)
			}))
			defer s.Close()
			c := sleeper("app")
			c.Image = s.Listener.Addr().String() + "/dockertest/app:1"
			err := w.p.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: node(c, "1")}, w.sink)
			if err == nil || !strings.Contains(err.Error(), test.want) || asked.Load() != test.tries {
				t.Errorf("asked %d times: %v", asked.Load(), err)
			}
			if _, err := w.p.LockImage(w.ctx, c.Image, "linux/amd64", true); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("a look-up says %v", err)
			}
		})
	}
}
