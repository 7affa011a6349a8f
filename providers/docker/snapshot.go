package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/volume"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/providers"
)

const (
	labelSnapshot = LabelPrefix + "snapshot"
	labelMade     = LabelPrefix + "made"
	labelComplete = LabelPrefix + "complete"
)

// Snapshot is a copy of an instance's named volumes, kept on the engine in volumes of its own.
type Snapshot struct {
	Name string
	Made time.Time
	// Complete is false for one whose making was cut short.
	Complete bool
	Volumes  []NamedVolume
}

// NamedVolume is a named volume, of a container or of several, or the copy of one.
type NamedVolume struct {
	Addr   addr.Addr // of the container; the volume's own where several may mount it
	Volume string    // as the spec names it
	name   string    // on the engine
}

// String gives the container's address and the volume's name in the spec, or the address of one that is shared.
func (v NamedVolume) String() string {
	if v.Addr.Kind == addr.Volume {
		return v.Addr.String()
	}
	return v.Addr.String() + " " + v.Volume
}

// NamedVolumes lists the named volumes of an instance, without snapshots, sorted.
func (p *Provider) NamedVolumes(ctx context.Context, i providers.Instance) ([]NamedVolume, error) {
	all, err := p.volumes(ctx, i)
	if err != nil {
		return nil, err
	}
	var found []NamedVolume
	for _, v := range all {
		if n, ok := namedVolume(v); ok && v.Labels[labelSnapshot] == "" {
			found = append(found, n)
		}
	}
	return found, nil
}

// Snapshots lists the snapshots of an instance, the oldest first.
func (p *Provider) Snapshots(ctx context.Context, i providers.Instance) ([]Snapshot, error) {
	all, err := p.volumes(ctx, i)
	if err != nil {
		return nil, err
	}
	by := map[string]*Snapshot{}
	for _, v := range all {
		name := v.Labels[labelSnapshot]
		if name == "" {
			continue
		}
		s := by[name]
		if s == nil {
			s = &Snapshot{Name: name}
			by[name] = s
		}
		if made, err := time.Parse(time.RFC3339, v.Labels[labelMade]); err == nil {
			s.Made = made
		}
		if n, ok := namedVolume(v); ok {
			s.Volumes = append(s.Volumes, n)
		}
		s.Complete = s.Complete || v.Labels[labelComplete] != ""
	}
	var list []Snapshot
	for _, s := range by {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Snapshot) int { return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.Name, b.Name)) })
	return list, nil
}

func (p *Provider) volumes(ctx context.Context, i providers.Instance) ([]*volume.Volume, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	list, err := p.api.VolumeList(ctx, volume.ListOptions{Filters: instanceFilter(i)})
	if err != nil {
		return nil, p.explain(err)
	}
	slices.SortFunc(list.Volumes, func(a, b *volume.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return list.Volumes, nil
}

func namedVolume(v *volume.Volume) (NamedVolume, bool) {
	a, err := addr.Parse(v.Labels[labelAddress])
	return NamedVolume{Addr: a, Volume: v.Labels[labelVolume], name: v.Name}, err == nil && v.Labels[labelVolume] != ""
}

// Save copies volumes into a snapshot. Nothing may write to them meanwhile. The snapshot counts as whole once all are
// copied: what marks it so is made last. Node is the program that copies, envctl-node for the engine's platform.
func (p *Provider) Save(ctx context.Context, i providers.Instance, snapshot string, volumes []NamedVolume, node blob.Blob) error {
	made := time.Now().UTC().Format(time.RFC3339)
	labels := func() map[string]string {
		l := instanceLabels(i)
		l[labelSpec], l[labelSnapshot], l[labelMade] = i.SpecDir, snapshot, made
		return l
	}
	for _, v := range volumes {
		l := labels()
		l[labelAddress], l[labelVolume] = v.Addr.String(), v.Volume
		to, err := p.api.VolumeCreate(ctx, volume.CreateOptions{Name: snapshotName(v.name, snapshot), Labels: l})
		if err == nil {
			err = p.copyVolume(ctx, i, v.name, to.Name, node)
		}
		if err != nil {
			return p.explain(fmt.Errorf("saving the volume of %s: %w", v, err))
		}
	}
	l := labels()
	l[labelComplete] = "true"
	_, err := p.api.VolumeCreate(ctx, volume.CreateOptions{Name: snapshotName(networkName(i), snapshot), Labels: l})
	return p.explain(err)
}

// snapshotName has two dots in a row, as no name that volumeName gives to an ordinary volume.
func snapshotName(of, snapshot string) string { return of + "..snapshot." + snapshot }

// Restore makes the volumes of a snapshot hold what they held when it was made, and makes those that are gone.
// No container may use them meanwhile.
func (p *Provider) Restore(ctx context.Context, i providers.Instance, s Snapshot, node blob.Blob) error {
	for _, v := range s.Volumes {
		to := NamedVolume{Addr: v.Addr, Volume: v.Volume, name: volumeName(i, v.Addr, v.Volume)}
		err := p.ensureVolume(ctx, i, to)
		if err == nil {
			err = p.copyVolume(ctx, i, v.name, to.name, node)
		}
		if err != nil {
			return p.explain(fmt.Errorf("restoring the volume of %s: %w", v, err))
		}
	}
	return nil
}

// RemoveSnapshot removes a snapshot, whole or not. What marks it as whole goes first.
func (p *Provider) RemoveSnapshot(ctx context.Context, i providers.Instance, snapshot string) error {
	all, err := p.volumes(ctx, i)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(v *volume.Volume) bool { return v.Labels[labelSnapshot] != snapshot })
	slices.SortStableFunc(all, func(a, b *volume.Volume) int {
		return -strings.Compare(a.Labels[labelComplete], b.Labels[labelComplete])
	})
	for _, v := range all {
		if err := p.api.VolumeRemove(ctx, v.Name, false); err != nil && !isNotFound(err) {
			return p.explain(fmt.Errorf("volume %s: %w", v.Name, err))
		}
	}
	return nil
}
