package docker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

// TestUnusedImages has two images of its own, of which a container uses one. Those of others are left alone.
func TestUnusedImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	used, spare := sleeper("used"), sleeper("spare")
	for _, c := range []*envspec.Container{used, spare} {
		c.Image, c.Build = "", &envspec.Build{Inline: "FROM " + base + "\nLABEL unused.test=" + c.Addr.Name + w.instance.ID + "\n"}
	}
	w.must(w.up(providers.Create, node(used, "1")))
	w.must(w.p.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: node(spare, "1")}, w.sink))

	mine := func(before time.Time) (found []Image) {
		t.Helper()
		all, err := w.p.UnusedImages(w.ctx, before)
		w.must(err)
		return slices.DeleteFunc(all, func(i Image) bool { return !strings.HasPrefix(i.Name, "envctl/"+w.instance.Environment+"-") })
	}
	if young := mine(time.Now().Add(-time.Minute * 10)); len(young) > 0 {
		t.Errorf("older than ten minutes are %+v", young)
	}
	found := mine(time.Now().Add(time.Minute))
	if len(found) != 1 || !strings.Contains(found[0].Name, "-spare:") || found[0].Bytes == 0 {
		t.Fatalf("unused are %+v", found)
	}
	w.must(w.p.RemoveUnused(w.ctx, found))
	if rest := mine(time.Now().Add(time.Minute)); len(rest) > 0 {
		t.Errorf("left are %+v", rest)
	}
	if there, err := w.p.imagePresent(w.ctx, found[0].Name, ""); there || err != nil {
		t.Errorf("the image is there still: %v", err)
	}
	if got := w.observed(used.Addr).State; got != providers.Ready {
		t.Errorf("the container whose image is used is %s", got)
	}
}

// TestUnusedSteps: what a build that failed left is unused, once nothing young counts as on its way.
func TestUnusedSteps(t *testing.T) {
	t.Parallel()
	w := worldOn(t, builderEngine(t, "0"))
	c := sleeper("app")
	c.Image, c.Build = "", &envspec.Build{Inline: "FROM " + base + "\nRUN echo " + w.instance.ID + "\nRUN false\n"}
	if err := w.up(providers.Create, node(c, "1")); err == nil {
		t.Fatal("the build did not fail")
	}
	steps := func() (ids []string) {
		t.Helper()
		_, images, err := w.p.steps(w.ctx, w.instance.Environment)
		w.must(err)
		for _, img := range images {
			ids = append(ids, img.ID)
		}
		return ids
	}
	made := steps()
	if len(made) == 0 {
		t.Fatal("the build left nothing, so this shows nothing")
	}
	mine := func(before time.Time) []Image {
		t.Helper()
		all, err := w.p.UnusedImages(w.ctx, before)
		w.must(err)
		return slices.DeleteFunc(all, func(i Image) bool { return !slices.Contains(made, i.ID) })
	}
	if young := mine(time.Now().Add(-10 * time.Minute)); len(young) > 0 {
		t.Errorf("older than ten minutes are %+v", young)
	}
	found := mine(time.Now().Add(time.Minute))
	if len(found) == 0 {
		t.Fatalf("none of %q is unused", made)
	}
	w.must(w.p.RemoveUnused(w.ctx, found))
	if left := steps(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}
