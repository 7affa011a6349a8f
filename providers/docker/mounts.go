package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// volumeOf gives the volume that a mount is of, by what its labels say of it.
func volumeOf(i providers.Instance, body *envspec.Container, v envspec.Volume) NamedVolume {
	n := NamedVolume{Addr: body.Addr, Volume: v.Name}
	if !v.Shared.IsHost() {
		n = NamedVolume{Addr: v.Shared, Volume: v.Shared.Name}
	}
	n.name = volumeName(i, n.Addr, n.Volume)
	return n
}

func mounts(i providers.Instance, body *envspec.Container) []mount.Mount {
	var all []mount.Mount
	for _, v := range body.Volumes {
		m := mount.Mount{Type: mount.TypeVolume, Source: volumeOf(i, body, v).name, Target: v.Target, ReadOnly: v.ReadOnly}
		switch {
		case v.External != "":
			m.Source = v.External
		case v.Source != "":
			m.Type, m.Source = mount.TypeBind, v.Source
		}
		all = append(all, m)
	}
	for _, dir := range fileFolders(body) {
		all = append(all, mount.Mount{Type: mount.TypeVolume, Target: dir}) // without a name: it goes with the container
	}
	return all
}

// ensureVolumes makes the named volumes that are not there yet, and refuses one that belongs to somebody else.
func (p *Provider) ensureVolumes(ctx context.Context, i providers.Instance, body *envspec.Container) error {
	for _, v := range body.Volumes {
		var err error
		switch {
		case v.External != "":
			err = p.externalVolume(ctx, v)
		case v.Source == "":
			err = p.ensureVolume(ctx, i, volumeOf(i, body, v))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) externalVolume(ctx context.Context, v envspec.Volume) error {
	_, err := p.api.VolumeInspect(ctx, v.External)
	if isNotFound(err) {
		return fmt.Errorf("%s is external, and the engine has no volume %s; make it with `docker volume create %s`, or leave `external` out", v.Shared, v.External, v.External)
	}
	return err
}

// CheckExternal refuses volumes of others that nodes are to mount and that the engine does not have.
func (p *Provider) CheckExternal(ctx context.Context, nodes []providers.Node) error {
	asked := map[string]bool{}
	var errs []error
	for _, n := range nodes {
		c, ok := n.Body.(*envspec.Container)
		if !ok {
			continue
		}
		for _, v := range c.Volumes {
			if v.External != "" && !asked[v.External] {
				asked[v.External] = true
				errs = append(errs, p.externalVolume(ctx, v))
			}
		}
	}
	return p.explain(errors.Join(errs...))
}

func (p *Provider) ensureVolume(ctx context.Context, i providers.Instance, v NamedVolume) error {
	labels := instanceLabels(i)
	labels[labelAddress], labels[labelVolume] = v.Addr.String(), v.Volume
	ownership := maps.Clone(labels)
	labels[labelSpec] = i.SpecDir // where the spec is now; it may have been elsewhere
	is, err := p.api.VolumeCreate(ctx, volume.CreateOptions{Name: v.name, Labels: labels})
	if err != nil {
		return fmt.Errorf("volume %s: %w", v.Volume, err)
	}
	for k, want := range ownership {
		if is.Labels[k] != want {
			return fmt.Errorf("a volume named %s is there that is not this environment's; remove it with `docker volume rm %s` or give the instance another name with --name", v.name, v.name)
		}
	}
	return nil
}

// Holders lists an instance's containers that mount one of the volumes, which need not be there.
func (p *Provider) Holders(ctx context.Context, i providers.Instance, volumes []NamedVolume) ([]addr.Addr, error) {
	list, err := p.api.ContainerList(ctx, container.ListOptions{All: true, Filters: instanceFilter(i)})
	if err != nil {
		return nil, p.explain(err)
	}
	held := map[string]bool{}
	for _, v := range volumes {
		held[volumeName(i, v.Addr, v.Volume)] = true
	}
	var holders []addr.Addr
	for _, c := range list {
		o, ours := fromLabels(c.Labels)
		if ours && slices.ContainsFunc(c.Mounts, func(m container.MountPoint) bool { return held[m.Name] }) {
			holders = append(holders, o.Addr)
		}
	}
	return holders, nil
}
