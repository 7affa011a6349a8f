package docker

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/providers"
)

// Thing is something on the engine that carries an instance's labels.
type Thing struct {
	Kind     string // "container", "network", "volume" or "image"
	Name     string
	Instance providers.Instance
}

// String gives the kind and the name.
func (t Thing) String() string { return t.Kind + " " + t.Name }

// Leftovers lists everything on the engine that carries an instance's labels, whole or not. After a
// `down` with volumes there is nothing.
func (p *Provider) Leftovers(ctx context.Context, i providers.Instance) ([]Thing, error) {
	return p.things(ctx, instanceFilter(i))
}

// Instances lists the instances of which anything is on the engine, if only a volume or an image, sorted.
func (p *Provider) Instances(ctx context.Context) ([]providers.Instance, error) {
	all, err := p.things(ctx, filters.NewArgs(filters.Arg("label", labelInstance)))
	if err != nil {
		return nil, err
	}
	var found []providers.Instance
	for _, t := range all {
		n := slices.IndexFunc(found, func(i providers.Instance) bool { return sameInstance(i, t.Instance) })
		if n < 0 {
			found = append(found, t.Instance)
		} else if found[n].SpecDir == "" {
			found[n].SpecDir = t.Instance.SpecDir
		}
	}
	slices.SortFunc(found, func(a, b providers.Instance) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

func (p *Provider) things(ctx context.Context, filter filters.Args) ([]Thing, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	thing := func(kind, name string, labels map[string]string) Thing {
		return Thing{kind, name, providers.Instance{
			Environment: labels[labelEnvironment], ID: labels[labelInstance], SpecDir: labels[labelSpec]}}
	}
	var containers, networks, volumes, images []Thing
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		list, err := p.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filter})
		for _, c := range list {
			if _, ours := fromLabels(c.Labels); ours { // and not somebody's own, run from an image of ours
				containers = append(containers, thing("container", strings.TrimPrefix(strings.Join(c.Names, ","), "/"), c.Labels))
			}
		}
		return err
	})
	g.Go(func() error {
		list, err := p.api.NetworkList(ctx, network.ListOptions{Filters: filter})
		for _, n := range list {
			networks = append(networks, thing("network", n.Name, n.Labels))
		}
		return err
	})
	g.Go(func() error {
		list, err := p.api.VolumeList(ctx, volume.ListOptions{Filters: filter})
		for _, v := range list.Volumes {
			volumes = append(volumes, thing("volume", v.Name, v.Labels))
		}
		return err
	})
	g.Go(func() error {
		list, err := p.api.ImageList(ctx, image.ListOptions{All: true, Filters: filter})
		for _, img := range list {
			images = append(images, thing("image", cmp.Or(strings.Join(img.RepoTags, ","), img.ID), img.Labels))
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, p.explain(err)
	}
	return slices.Concat(containers, networks, volumes, images), nil
}
