package docker

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/registrytest"
	"github.com/envctl/envctl/internal/secret"
)

// TestCacheFrom takes a step from an image in a registry that was built elsewhere and forgotten here: that the step was not
// run again is seen in what it made, which no other run would make.
func TestCacheFrom(t *testing.T) {
	t.Parallel()
	registry := registrytest.Start(t, "")
	withBuilders(t, func(t *testing.T, w *world) {
		dir := folder(t, map[string]string{"same": "same", "Dockerfile": "FROM " + base + "\nCOPY same /same\n" +
			"RUN cat /proc/sys/kernel/random/uuid > /id # " + w.instance.ID + "\n"})
		ref := registry + "/dockertest/" + w.instance.ID + ":1"
		var first string
		if w.p.getenv("DOCKER_BUILDKIT") == "1" {
			elsewhere := worldOn(t, w.p)
			first = elsewhere.builds("app", &envspec.Build{Context: dir, Args: map[string]secret.Text{"BUILDKIT_INLINE_CACHE": secret.Plain("1")}}, "cat", "/id")
			is, err := w.p.api.ContainerInspect(w.ctx, elsewhere.observed(named("app")).Handle)
			w.must(err)
			w.must(w.p.api.ImageTag(w.ctx, is.Image, ref))
			w.send(ref)
			elsewhere.removeAll()
			w.forgetStep(w.instance.ID)
		} else {
			command(t, "DOCKER_BUILDKIT=0", "docker", "build", "--quiet", "--tag", ref, dir)
			first = command(t, "", "docker", "run", "--rm", ref, "cat", "/id")
			w.send(ref)
		}
		t.Cleanup(func() { _, _ = w.p.api.ImageRemove(context.WithoutCancel(w.ctx), ref, image.RemoveOptions{}) })
		got := w.builds("app", &envspec.Build{Context: dir, CacheFrom: []string{registry + "/dockertest/nowhere:1", ref}}, "cat", "/id")
		if got != first {
			t.Errorf("the step was run again: %s, not %s; said:\n%s", got, first, w.said())
		}
	})
}

// forgetStep removes from BuildKit's cache what steps made whose text holds a word, and nothing else.
func (w *world) forgetStep(word string) {
	w.t.Helper()
	usage, err := w.p.api.DiskUsage(w.ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.BuildCacheObject}})
	w.must(err)
	found := false
	for _, r := range usage.BuildCache {
		if strings.Contains(r.Description, word) {
			found = true
			_, err := w.p.api.BuildCachePrune(w.ctx, build.CachePruneOptions{All: true, Filters: filters.NewArgs(filters.Arg("id", r.ID))})
			w.must(err)
		}
	}
	if !found {
		w.t.Fatalf("BuildKit's cache has no step with %s", word)
	}
}
