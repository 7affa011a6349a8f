package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/envctl/envctl/internal/blob"
	vol "github.com/envctl/envctl/internal/volume"
	"github.com/envctl/envctl/providers"
)

// copyVolume makes one volume hold what another does, in a container made for it: so it goes as fast as the engine's
// disk, wherever the engine is.
func (p *Provider) copyVolume(ctx context.Context, i providers.Instance, from, to string, node blob.Blob) error {
	image, err := p.nodeImage(ctx, i, node)
	if err != nil {
		return err
	}
	// One name, so that a container which a killed run left is found and removed.
	id, err := p.createCopier(ctx, image, networkName(i)+"..copy", from, to)
	if err != nil {
		return err
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		// One that stays is removed by the next copy.
		_ = p.api.ContainerRemove(cleanup, id, container.RemoveOptions{Force: true})
	}()
	if err := p.api.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return err
	}
	ended, failed := p.api.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case err := <-failed:
		return err
	case end := <-ended:
		if end.StatusCode != 0 {
			return errors.New(strings.Join(append(p.lastLog(ctx, id), fmt.Sprintf("exit code %d", end.StatusCode)), "; "))
		}
		return nil
	}
}

func (p *Provider) createCopier(ctx context.Context, image, name, from, to string) (string, error) {
	config := &container.Config{Image: image, Cmd: vol.Command(), User: "0:0"}
	host := &container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{
		{Type: mount.TypeVolume, Source: from, Target: vol.From, ReadOnly: true},
		{Type: mount.TypeVolume, Source: to, Target: vol.To, VolumeOptions: &mount.VolumeOptions{NoCopy: true}},
	}}
	made, err := p.api.ContainerCreate(ctx, config, host, nil, nil, name)
	if says(err, nameTaken) {
		if err := p.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}); err != nil && !isNotFound(err) {
			return "", err
		}
		made, err = p.api.ContainerCreate(ctx, config, host, nil, nil, name)
	}
	return made.ID, err
}
