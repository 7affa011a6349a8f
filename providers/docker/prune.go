package docker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// Image is an image that envctl built.
type Image struct {
	ID    string
	Name  string // its tag, or "" where it has none any more
	Bytes int64
	Made  time.Time
}

// UnusedImages lists the images that envctl built and no container was made from, those made before a time of the
// engine's clock, sorted by name: a younger one may be on its way into a container. Steps on the way to an image count as
// parts of it; those of a build that was cut short stand for themselves.
func (p *Provider) UnusedImages(ctx context.Context, before time.Time) ([]Image, error) {
	found, err := p.unused(ctx, before)
	if err != nil {
		return nil, p.explain(err)
	}
	images := make([]Image, 0, len(found))
	for _, img := range found {
		i := Image{ID: img.ID, Bytes: img.Size, Made: time.Unix(img.Created, 0)}
		if tags := ours(img.RepoTags); len(tags) > 0 {
			i.Name = tags[0]
		}
		images = append(images, i)
	}
	slices.SortFunc(images, func(a, b Image) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return images, nil
}

// RemoveUnused removes images that UnusedImages listed, unless a container uses them by now.
func (p *Provider) RemoveUnused(ctx context.Context, images []Image) error {
	found, err := p.unused(ctx, time.Time{})
	if err != nil {
		return p.explain(err)
	}
	found = slices.DeleteFunc(found, func(img image.Summary) bool {
		return !slices.ContainsFunc(images, func(i Image) bool { return i.ID == img.ID })
	})
	p.present.Clear()
	return p.explain(p.removeImages(ctx, found))
}

// unused takes no notice of when an image was made where before is zero.
func (p *Provider) unused(ctx context.Context, before time.Time) ([]image.Summary, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	containers, err := p.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, c := range containers {
		used[c.ImageID] = true
	}
	young := func(made time.Time) bool { return !before.IsZero() && !made.Before(before) }
	var found []image.Summary
	for _, label := range []string{labelEnvironment, labelShared} {
		images, err := p.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
		if err != nil {
			return nil, err
		}
		for _, img := range images {
			there := func(f image.Summary) bool { return f.ID == img.ID }
			theirs := len(tagsOf(img)) > 0 && len(ours(img.RepoTags)) == 0 // a name that somebody gave it, and its reason to stay
			if used[img.ID] || theirs || young(time.Unix(img.Created, 0)) || slices.ContainsFunc(found, there) {
				continue
			}
			// What BuildKit remembers makes an image that says it is as old as its last step.
			is, err := p.api.ImageInspect(ctx, img.ID)
			if isNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if !young(is.Metadata.LastTagTime) {
				img.Created = max(img.Created, is.Metadata.LastTagTime.Unix())
				found = append(found, img)
			}
		}
	}
	return found, nil
}

// ours are the names that envctl gave an image.
func ours(tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !ourName(tag) })
}
