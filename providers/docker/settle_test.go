package docker

import (
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/providers"
)

// TestStepsThatAnEngineLeft: one that is killed cannot end the step of a build that it is at.
func TestStepsThatAnEngineLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	step, err := w.p.api.ContainerCreate(w.ctx, &container.Config{
		Image: base, Cmd: []string{"true"}, Labels: map[string]string{labelEnvironment: w.instance.Environment},
	}, nil, nil, nil, "")
	w.must(err)
	there := func() bool {
		t.Helper()
		_, err := w.p.api.ContainerInspect(w.ctx, step.ID)
		if err != nil && !isNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	half := func(want bool) {
		t.Helper()
		if half, err := w.p.HalfBuilt(w.ctx, w.instance.Environment); err != nil || half != want {
			t.Errorf("half built: %t, %v", half, err)
		}
	}
	half(true)
	app := sleeper("app")
	w.must(w.up(providers.Create, node(app, "1")))
	half(false)
	w.must(w.p.removeOwnImages(w.ctx, w.instance))
	if !there() {
		t.Error("a step went while an instance was up, whose builds it may be of")
	}
	o := w.observed(app.Addr)
	w.must(w.p.Remove(w.ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink))
	w.must(w.p.Settle(w.ctx, w.instance))
	w.must(w.p.removeOwnImages(w.ctx, w.instance))
	if there() {
		t.Error("the step is still there")
	}
	half(false)
}
