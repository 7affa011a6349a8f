package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/probe"
	"github.com/envctl/envctl/providers"
)

// EngineVersion is the engine's version and the API version that is spoken with it.
func (p *Provider) EngineVersion(ctx context.Context) (engine, api string, err error) {
	if err := p.connect(ctx); err != nil {
		return "", "", err
	}
	v, err := p.api.ServerVersion(ctx)
	return v.Version, p.api.ClientVersion(), p.explain(err)
}

// Running lists by their handles an instance's containers that run, and says of each whether it is on the
// instance's network.
func (p *Provider) Running(ctx context.Context, i providers.Instance) (map[string]bool, error) {
	containers, _, err := p.list(ctx, instanceFilter(i), instanceFilter(i))
	if err != nil {
		return nil, err
	}
	running := map[string]bool{}
	for _, c := range containers {
		if c.State != container.StateRunning {
			continue
		}
		running[c.ID] = false
		if c.NetworkSettings != nil {
			_, running[c.ID] = c.NetworkSettings.Networks[networkName(i)]
		}
	}
	return running, nil
}

// probeTime is how long all of a probe may take, its container included.
const probeTime = 15 * time.Second

// Probe connects to targets from the network of a container that runs, whose image need not hold a thing for it: a
// container made for it borrows the network, and is gone when Probe returns. Node is envctl-node for the engine's
// platform.
func (p *Provider) Probe(ctx context.Context, from providers.Observed, node blob.Blob, targets []probe.Target) ([]probe.Result, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	image, err := p.nodeImage(ctx, from.Instance, node)
	if err != nil {
		return nil, p.explain(err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	out, err := p.runIn(ctx, from, image, targets)
	if err != nil {
		return nil, p.explain(fmt.Errorf("probing from %s: %w", from.Addr, err))
	}
	return probe.Parse(out, len(targets))
}

func (p *Provider) runIn(ctx context.Context, from providers.Observed, image string, targets []probe.Target) ([]byte, error) {
	command, err := probe.Command(targets)
	if err != nil {
		return nil, err
	}
	// No label says an address: it is the instance's and no resource of it.
	config := &container.Config{Image: image, Cmd: command, Labels: instanceLabels(from.Instance), AttachStdout: true, AttachStderr: true}
	// The engine removes it even where this process is killed.
	host := &container.HostConfig{NetworkMode: container.NetworkMode("container:" + from.Handle), AutoRemove: true}
	// Once it is asked for, its id has to be waited for: or nobody could remove it.
	making, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	made, err := p.api.ContainerCreate(making, config, host, nil, nil, "")
	cancel()
	if err != nil {
		return nil, err
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		_ = p.removeContainer(cleanup, made.ID) // most often the engine was first
	}()
	conn, err := p.api.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Close)()
	if err := p.api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, conn.Reader); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if errs.Len() > 0 {
		return nil, errors.New(strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

// nodeImage gives an image of envctl-node and nothing else.
func (p *Provider) nodeImage(ctx context.Context, i providers.Instance, node blob.Blob) (string, error) {
	return p.ensureImage(ctx, providers.Change{Instance: i}, &envspec.Container{Build: envspec.NodeBuild(node)}, func(event.Event) {})
}
