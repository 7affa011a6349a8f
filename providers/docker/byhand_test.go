package docker

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

func TestLimitsByHand(t *testing.T) {
	set := map[string]string{"memory": "67108864", "cpus": "0.5"}
	for _, test := range []struct {
		name  string
		parts map[string]string
		is    container.Resources
		want  []guestproto.Difference
	}{
		{"as made", set, container.Resources{Memory: 64 << 20, NanoCPUs: 5e8}, nil},
		{"others", set, container.Resources{Memory: 128 << 20, NanoCPUs: 15e8}, []guestproto.Difference{
			{Name: "memory", Want: "67108864", Is: "134217728"}, {Name: "cpus", Want: "0.5", Is: "1.5"}}},
		{"left out by the engine", set, container.Resources{}, nil},
		{"as exactly as the engine can", map[string]string{"cpus": "0.3333333"}, container.Resources{NanoCPUs: 333330000}, nil},
		{"not in the spec", nil, container.Resources{Memory: 128 << 20}, nil},
	} {
		if diff := cmp.Diff(test.want, limitsByHand(test.parts, test.is)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// Only a container that has limits is looked at by itself.
func TestOnlyLimitsNeedALook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limited := sleeper("limited")
	limited.Memory = 64 << 20
	n := node(limited, "1")
	n.Parts = map[string]string{"memory": "67108864"}
	w.must(w.up(providers.Create, n))
	w.must(w.up(providers.Create, node(sleeper("free"), "1")))
	p, r := recorded(t, w)
	observed, err := p.Observe(w.ctx, w.instance)
	w.must(err)
	for _, o := range observed {
		if len(o.ByHand) > 0 {
			t.Errorf("%s was changed: %v", o.Addr, o.ByHand)
		}
	}
	looks := slices.DeleteFunc(r.calls, func(call string) bool {
		return !strings.HasSuffix(call, "/json") || strings.HasSuffix(call, "/containers/json")
	})
	if len(looks) != 1 || !strings.Contains(looks[0], w.observed(limited.Addr).Handle) {
		t.Errorf("it looked at %q", looks)
	}
}

// A name that somebody else's container has taken meanwhile is not taken from it.
func TestNameThatIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	n := node(c, "1")
	w.must(w.up(providers.Create, n))
	id, name := w.observed(c.Addr).Handle, containerName(w.instance, c.Addr)
	w.must(w.p.api.ContainerRename(w.ctx, id, name+"-mine"))
	made, err := w.p.api.ContainerCreate(w.ctx, &container.Config{Image: base, Cmd: []string{"true"}}, nil, nil, nil, name)
	w.must(err)
	err = w.up(providers.Update, n)
	if err == nil || !strings.Contains(err.Error(), "not this environment's") {
		t.Errorf("error %v", err)
	}
	w.must(w.p.api.ContainerRemove(w.ctx, made.ID, container.RemoveOptions{}))
	w.must(w.up(providers.Update, n))
	if o := w.observed(c.Addr); o.Handle != id || len(o.ByHand) > 0 {
		t.Errorf("observed %+v", o)
	}
}
