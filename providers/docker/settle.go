package docker

import (
	"context"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/providers"
)

const (
	settled    = time.Second            // how long nothing may have changed; longer on an engine that is slow to answer
	settleLook = 100 * time.Millisecond // between looks
	settleMost = 30 * time.Second       // after which one goes on whatever it is
)

// Settle waits until nothing of an instance appears, changes or goes any more. An engine does to its end what a run asked
// of it that was killed meanwhile: it stops a container, makes another, commits the step of a build. What comes later
// still, a later `down` finds.
func (p *Provider) Settle(ctx context.Context, i providers.Instance) error {
	var seen []string
	began := time.Now()
	for since := began; ; {
		asked := time.Now()
		now, building, err := p.sight(ctx, i)
		if err != nil {
			return p.explain(err)
		}
		quiet := max(settled, 10*time.Since(asked))
		if building || !slices.Equal(now, seen) {
			seen, since = now, time.Now()
		}
		if time.Since(since) >= quiet || time.Since(began) >= settleMost {
			return nil
		}
		if err := wait(ctx, settleLook); err != nil {
			return err
		}
	}
}

// sight is all that there is of an instance, with the steps of its environment's builds, and whether any of these is at
// work: a container that has ended may be on its way into an image.
func (p *Provider) sight(ctx context.Context, i providers.Instance) (all []string, building bool, err error) {
	things, err := p.Leftovers(ctx, i)
	if err != nil {
		return nil, false, err
	}
	for _, t := range things {
		all = append(all, t.String())
	}
	containers, images, err := p.made(ctx, i.Environment)
	for _, c := range containers {
		if owner := c.Labels[labelInstance]; owner == i.ID || owner == "" {
			all, building = append(all, c.ID+" "+c.State), building || owner == ""
		}
	}
	for _, img := range images {
		all = append(all, img.ID)
	}
	slices.Sort(all)
	return all, building, err
}

// made are the containers and the images that carry an environment's label.
func (p *Provider) made(ctx context.Context, environment string) ([]container.Summary, []image.Summary, error) {
	if err := p.connect(ctx); err != nil {
		return nil, nil, err
	}
	filter := filters.NewArgs(filters.Arg("label", labelEnvironment+"="+environment))
	containers, err := p.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filter})
	if err != nil {
		return nil, nil, err
	}
	images, err := p.api.ImageList(ctx, image.ListOptions{All: true, Filters: filter})
	return containers, images, err
}

// steps are what the classic builder makes on the way to an image, and leaves where it is cut short. They name no
// instance.
func (p *Provider) steps(ctx context.Context, environment string) ([]container.Summary, []image.Summary, error) {
	containers, images, err := p.made(ctx, environment)
	return slices.DeleteFunc(containers, func(c container.Summary) bool { return c.Labels[labelInstance] != "" }),
		slices.DeleteFunc(images, func(img image.Summary) bool { return img.Labels[labelInstance] != "" }), err
}

// HalfBuilt reports whether RemoveImages would find steps of builds of an environment that were cut short.
func (p *Provider) HalfBuilt(ctx context.Context, environment string) (bool, error) {
	containers, images, err := p.steps(ctx, environment)
	if err != nil || len(containers)+len(images) == 0 {
		return false, p.explain(err)
	}
	live, err := p.api.ContainerList(ctx, container.ListOptions{All: true})
	return err == nil && len(liveInstances(live, environment)) == 0, p.explain(err)
}

// liveInstances are those of an environment that have a container.
func liveInstances(containers []container.Summary, environment string) map[string]bool {
	live := map[string]bool{}
	for _, c := range containers {
		if o, ok := fromLabels(c.Labels); ok && o.Instance.Environment == environment {
			live[o.Instance.ID] = true
		}
	}
	return live
}
