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
