package docker

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// TestBuildCutShort ends a build in its middle, as Ctrl-C does and, by the connection that closes, a kill.
func TestBuildCutShort(t *testing.T) {
	t.Parallel()
	withBuilders(t, buildCutShort)
}

func buildCutShort(t *testing.T, w *world) {
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Inline: "FROM " + base + "\nRUN echo it has begun; sleep 600\n"}
	ctx, cancel := context.WithCancelCause(w.ctx)
	interrupted := errors.New("interrupted")
	err := w.p.Prepare(ctx, w.change(providers.Create, node(c, "1")), func(e event.Event) {
		if e.Type == event.Log && strings.Contains(e.Message, "it has begun") && !strings.Contains(e.Message, "Step") {
			cancel(interrupted)
		}
	})
	if !errors.Is(err, interrupted) {
		t.Fatalf("error %v", err)
	}
	// The engine ends the step by itself; this waits for it to be gone.
	steps, err := w.p.api.ContainerList(w.ctx, container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", labelEnvironment+"="+w.instance.Environment))})
	w.must(err)
	for _, step := range steps {
		done, failed := w.p.api.ContainerWait(w.ctx, step.ID, container.WaitConditionRemoved)
		select {
		case <-done:
		case err := <-failed:
			if !isNotFound(err) {
				t.Error(err)
			}
		}
	}
	if observed, err := w.p.Observe(w.ctx, w.instance); err != nil || len(observed) != 1 {
		t.Errorf("observed %+v, %v", observed, err)
	}
}
