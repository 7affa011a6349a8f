package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/providers"
)

// Volumes lists the names of an instance's named volumes, sorted.
func (p *Provider) Volumes(ctx context.Context, i providers.Instance) ([]string, error) {
	all, err := p.volumes(ctx, i)
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names, err
}

// RemoveVolumes removes an instance's named volumes. A container that still uses one is an error.
func (p *Provider) RemoveVolumes(ctx context.Context, i providers.Instance) error {
	names, err := p.Volumes(ctx, i)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := p.api.VolumeRemove(ctx, name, false); err != nil && !isNotFound(err) {
			errs = append(errs, fmt.Errorf("volume %s: %w", name, err))
		}
	}
	return p.explain(errors.Join(errs...))
}

// RemoveImages removes the images that were built for an instance, and what builds of its environment
// that were cut short left; and the images that all environments share (the gateway's, the sandbox's) once
// no container uses them. An image that a container or another instance still uses stays, and is no error.
func (p *Provider) RemoveImages(ctx context.Context, i providers.Instance) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	return errors.Join(p.removeOwnImages(ctx, i), p.removeSharedImages(ctx, labelShared), p.explain(p.removeBaseNames(ctx, i)))
}

func (p *Provider) removeOwnImages(ctx context.Context, i providers.Instance) error {
	containers, err := p.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return p.explain(err)
	}
	live := liveInstances(containers, i.Environment)
	if len(live) == 0 {
		if containers, err = p.removeSteps(ctx, containers, i.Environment); err != nil {
			return p.explain(err)
		}
	}
	return p.sweepImages(ctx, containers, filters.Arg("label", labelEnvironment+"="+i.Environment), func(img image.Summary) bool {
		owner := img.Labels[labelInstance]
		if owner == "" {
			// A step on the way to an image, which another instance may be building right now.
			return len(live) == 0
		}
		return owner == i.ID || !live[owner]
	})
}

// removeSteps removes the containers of builds that an engine could not end itself, because it was ended first. It
// gives the containers that stay.
func (p *Provider) removeSteps(ctx context.Context, containers []container.Summary, environment string) (stay []container.Summary, err error) {
	for _, c := range containers {
		if c.Labels[labelEnvironment] != environment || c.Labels[labelInstance] != "" || c.State == container.StateRunning {
			stay = append(stay, c)
			continue
		}
		if err := p.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil && !isNotFound(err) {
			return nil, fmt.Errorf("what a build left: %w", err)
		}
	}
	return stay, nil
}

// stepTime is how long a build may take from one of its steps to the next.
const stepTime = 10 * time.Minute

// removeSharedImages removes the shared images that have a label, "key" or "key=value", and no container.
func (p *Provider) removeSharedImages(ctx context.Context, label string) error {
	containers, err := p.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return p.explain(err)
	}
	return p.sweepImages(ctx, containers, filters.Arg("label", label), func(img image.Summary) bool {
		// A young step may be on its way into an image that another environment waits for; prune has what stays.
		return len(tagsOf(img)) > 0 || time.Since(time.Unix(img.Created, 0)) > stepTime
	})
}

func (p *Provider) sweepImages(ctx context.Context, containers []container.Summary, label filters.KeyValuePair, goes func(image.Summary) bool) error {
	used := map[string]bool{}
	for _, c := range containers {
		used[c.ImageID] = true
	}
	images, err := p.api.ImageList(ctx, image.ListOptions{All: true, Filters: filters.NewArgs(label)})
	if err != nil {
		return p.explain(err)
	}
	images = slices.DeleteFunc(images, func(img image.Summary) bool { return used[img.ID] || !goes(img) })
	p.present.Clear()
	return p.explain(p.removeImages(ctx, images))
}

// removeImages removes images and what only they are built on, newest first, since an engine refuses to
// remove one on which another is built.
func (p *Provider) removeImages(ctx context.Context, images []image.Summary) error {
	slices.SortStableFunc(images, func(a, b image.Summary) int { return -cmp.Compare(a.Created, b.Created) })
	for {
		var left []image.Summary
		var errs []error
		for _, img := range images {
			if err := p.removeImage(ctx, img); err != nil {
				left, errs = append(left, img), append(errs, err)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if len(left) == len(images) || ctx.Err() != nil {
			return errors.Join(slices.DeleteFunc(errs, inUse)...)
		}
		images = left
	}
}

// tagsOf are an image's names; an engine may say of one without that it is called "<none>:<none>".
func tagsOf(img image.Summary) []string {
	return slices.DeleteFunc(slices.Clone(img.RepoTags), func(tag string) bool { return tag == "<none>:<none>" })
}

func (p *Provider) removeImage(ctx context.Context, img image.Summary) error {
	refs := tagsOf(img)
	if len(refs) == 0 {
		refs = []string{img.ID}
	}
	for _, ref := range refs {
		if ref != img.ID && !ourName(ref) {
			continue // a name that somebody gave it, and its reason to stay
		}
		if _, err := p.api.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true}); err != nil && !isNotFound(err) {
			return fmt.Errorf("image %s: %w", ref, err)
		}
	}
	return nil
}

// inUse reports whether an image was not removed because something uses it.
func inUse(err error) bool { return statusOf(err) == http.StatusConflict }
