package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

func TestChooseBuilder(t *testing.T) {
	engine := func(name, os, api string) types.Version {
		return types.Version{Os: os, APIVersion: api, Components: []types.ComponentVersion{{Name: name}}}
	}
	for _, test := range []struct {
		name    string
		prefers build.BuilderVersion
		engine  types.Version
		kit     bool
	}{
		{"the engine prefers it", build.BuilderBuildKit, engine("Engine", "linux", "1.51"), true},
		{"the engine's configuration turns it off", build.BuilderV1, engine("Engine", "linux", "1.51"), false},
		{"an engine that says nothing", "", engine("Engine", "linux", "1.41"), true},
		{"before it was there", "", engine("Engine", "linux", "1.38"), false},
		{"Windows containers", "", engine("Engine", "windows", "1.51"), false},
		{"Podman", "", engine("Podman Engine", "linux", "1.41"), false},
	} {
		got := chooseBuilder(types.Ping{BuilderVersion: test.prefers}, test.engine)
		if got.kit != test.kit || got.kit == (got.why != "") {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	p := builderEngine(t, "maybe")
	if _, err := p.builder(t.Context()); err == nil || !strings.Contains(err.Error(), `DOCKER_BUILDKIT is "maybe"`) {
		t.Errorf("error %v", err)
	}
}

const planted = "planted-build-secret"

// TestBuildSecret: a step reads it, nothing keeps it, and what a step prints of it is masked.
func TestBuildSecret(t *testing.T) {
	t.Parallel()
	w := worldOn(t, builderEngine(t, "1"))
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{
		Inline: "FROM " + base + "\nRUN --mount=type=secret,id=token cat /run/secrets/token && sha256sum < /run/secrets/token > /sum && " +
			"printf end-of-step # " + w.instance.ID + "\n",
		Secrets: map[string]secret.Text{"token": {Value: planted, Sensitive: true}},
	}
	w.must(w.up(providers.Create, node(c, "1")))
	got := w.run(c.Addr, "/bin/sh", "-c", "cat /sum; ls /run/secrets 2>/dev/null; printf %s "+planted+" | sha256sum")
	if lines := strings.Split(got, "\n"); len(lines) != 2 || lines[0] != lines[1] {
		t.Errorf("in the image: %q", got)
	}
	if said := w.said(); strings.Contains(said, planted) || !strings.Contains(said, secret.Mask+"end-of-step") {
		t.Errorf("said %s", said)
	}
	tag, err := buildTag(w.change(providers.Create, node(c, "1")), c)
	w.must(err)
	history, err := w.p.api.ImageHistory(w.ctx, tag)
	w.must(err)
	for _, h := range history {
		if strings.Contains(h.CreatedBy, planted) {
			t.Errorf("the image's history has it: %s", h.CreatedBy)
		}
	}

	// A failing step shows no secret either.
	c.Build.Inline = "FROM " + base + "\nRUN --mount=type=secret,id=token cat /run/secrets/token && exit 7 # " + w.instance.ID + "\n"
	err = w.up(providers.Replace, node(c, "2"))
	if err == nil || strings.Contains(err.Error(), planted) || !strings.Contains(err.Error(), secret.Mask) {
		t.Errorf("error %v", err)
	}

	// The classic builder cannot.
	classic := builderEngine(t, "0")
	err = classic.Prepare(w.ctx, w.change(providers.Create, node(c, "3")), w.sink)
	if err == nil || !strings.Contains(err.Error(), "needs BuildKit, and DOCKER_BUILDKIT=0 turns it off") {
		t.Errorf("error %v", err)
	}
}

// TestContextGoesByContent changes a file and gives it back its time and size: what is compared on the way to the
// engine must not be those.
func TestContextGoesByContent(t *testing.T) {
	t.Parallel()
	withBuilders(t, func(t *testing.T, w *world) {
		dir := folder(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY a b/ /app/\n", "a": "one", "b/c": "same"})
		at := time.Unix(1_700_000_000, 0)
		c := sleeper("app")
		c.Image = ""
		c.Build = &envspec.Build{Context: dir}
		for i, text := range []string{"one", "two"} {
			write(t, filepath.Join(dir, "a"), text)
			w.must(os.Chtimes(filepath.Join(dir, "a"), at, at))
			action := []providers.Action{providers.Create, providers.Replace}[i]
			w.must(w.up(action, node(c, text)))
			if got := w.run(c.Addr, "/bin/sh", "-c", "cat /app/a /app/c; stat -c %Y /app/c /app/a | tail -1"); got != text+"same1700000000" {
				t.Errorf("in the image: %q", got)
			}
		}
	})
}

func TestRebuild(t *testing.T) {
	t.Parallel()
	withBuilders(t, func(t *testing.T, w *world) {
		c := sleeper("app")
		c.Image = ""
		c.Build = &envspec.Build{Inline: "FROM " + base + "\nRUN cat /proc/sys/kernel/random/uuid > /id\n"}
		w.must(w.up(providers.Create, node(c, "1")))
		first := w.run(c.Addr, "cat", "/id")
		again := node(c, "1")
		w.must(w.up(providers.Replace, again))
		if second := w.run(c.Addr, "cat", "/id"); second != first {
			t.Error("it was built again without being asked to")
		}
		again.Anew = "a rebuild was asked for"
		w.must(w.up(providers.Replace, again))
		if third := w.run(c.Addr, "cat", "/id"); third == first {
			t.Error("it was not built again")
		}
	})
}

func TestSyntaxLineNeedsItsRegistry(t *testing.T) {
	t.Parallel()
	w := worldOn(t, builderEngine(t, "1"))
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Inline: "# syntax=127.0.0.1:9/acme/dockerfile:1\nFROM " + base + "\n"}
	err := w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), `"# syntax=127.0.0.1:9/acme/dockerfile:1", names an image`) {
		t.Errorf("error %v", err)
	}
}

// TestBuildSteps holds what a person sees of a build of two stages.
func TestBuildSteps(t *testing.T) {
	t.Parallel()
	w := worldOn(t, builderEngine(t, "1"))
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Inline: "FROM " + base + " AS one\nRUN echo made > /made\nFROM " + base + "\nCOPY --from=one /made /made\n"}
	w.must(w.up(providers.Create, node(c, "1")))
	var last int64
	for _, e := range w.events {
		if e.Total > 2 || e.Current > e.Total || e.Total == 2 && e.Current < last {
			t.Errorf("event %+v", e)
		}
		if e.Total == 2 {
			last = e.Current
		}
	}
	if said := w.said(); !strings.Contains(said, "progress RUN echo made > /made") || !strings.Contains(said, "progress COPY --from=one /made /made") {
		t.Errorf("said %s", said)
	}
}

func TestPinnedBaseLeavesNoName(t *testing.T) {
	t.Parallel()
	w := worldOn(t, builderEngine(t, "1"))
	is, err := w.p.api.ImageInspect(w.ctx, base)
	w.must(err)
	from := map[string]string{"moved:elsewhere": is.ID, base: is.ID}
	pins, release, err := w.p.kitPins(w.ctx, w.instance, from)
	w.must(err)
	name := pins["moved:elsewhere"]
	if pins[base] != base || !strings.HasPrefix(name, "envctl/base:") {
		t.Errorf("pins %v", pins)
	}
	release()
	if _, err := w.p.api.ImageInspect(w.ctx, name); !isNotFound(err) {
		t.Errorf("%s is still there: %v", name, err)
	}
	pins, _, err = w.p.kitPins(w.ctx, w.instance, from) // and killed before it is released
	w.must(err)
	w.must(w.p.removeBaseNames(w.ctx, providers.Instance{Environment: w.instance.Environment, ID: "another"}))
	if _, err := w.p.api.ImageInspect(w.ctx, pins["moved:elsewhere"]); err != nil {
		t.Error("another instance's down took it:", err)
	}
	w.must(w.p.removeBaseNames(w.ctx, w.instance))
	if _, err := w.p.api.ImageInspect(w.ctx, pins["moved:elsewhere"]); !isNotFound(err) {
		t.Errorf("%s is still there: %v", pins["moved:elsewhere"], err)
	}
	if list, err := w.p.api.ImageList(w.ctx, image.ListOptions{}); err != nil || len(list) == 0 {
		t.Error("the image itself went", err)
	}
}
