package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// cleanupTime is how long taking back what failed may go on after the caller gave up.
const cleanupTime = 10 * time.Second

// applyContainer creates the container, replaces the one that is there, or updates it.
func (p *Provider) applyContainer(ctx context.Context, c providers.Change, body *envspec.Container, report event.Sink) error {
	body = withEgress(body)
	if c.Action == providers.Update && c.Observed != nil {
		err := p.updateContainer(ctx, c, body)
		if !isNotFound(err) {
			return err
		}
		c.Observed = nil // removed since it was observed
	}
	if c.Observed != nil {
		if err := p.removeContainer(ctx, c.Observed.Handle); err != nil {
			return fmt.Errorf("removing what it replaces: %w", err)
		}
	}
	err := p.createContainer(ctx, c, body, report)
	if err == nil || !strings.Contains(err.Error(), "is ambiguous") {
		return err
	}
	if err := p.removeNetworks(ctx, c.Instance, 1); err != nil {
		return err
	}
	return p.createContainer(ctx, c, body, report)
}

// createContainer starts the container as its last step, so that one which never ran is known to be incomplete.
func (p *Provider) createContainer(ctx context.Context, c providers.Change, body *envspec.Container, report event.Sink) error {
	if err := p.ensureVolumes(ctx, c.Instance, body); err != nil {
		return err
	}
	id, err := p.create(ctx, c, body, report)
	if err != nil {
		return err
	}
	err = p.fillBundle(ctx, id, body)
	if err == nil {
		err = p.copyFiles(ctx, id, body, body.Files)
	}
	if err == nil {
		err = beforeStart(ctx, c, id)
	}
	if err == nil {
		err = p.startError(ctx, body, p.api.ContainerStart(ctx, id, container.StartOptions{}))
	}
	if err == nil {
		return nil
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if left := p.api.ContainerRemove(cleanup, id, container.RemoveOptions{Force: true, RemoveVolumes: true}); left != nil && !isNotFound(left) {
		return errors.Join(p.explain(err), fmt.Errorf("and what was made of it could not be removed: %w", left))
	}
	return err
}

// create asks for the container, putting right what may have changed since the plan was made: an image
// that was removed, and a container of ours under the same name.
func (p *Provider) create(ctx context.Context, c providers.Change, body *envspec.Container, report event.Sink) (string, error) {
	image, err := p.ensureImage(ctx, c, body, report)
	if err != nil {
		return "", err
	}
	labels, err := p.containerLabels(c, body)
	if err != nil {
		return "", err
	}
	name := containerName(c.Instance, c.Node.Addr)
	began := time.Now()
	for try := 0; ; try++ {
		config, host, net := containerConfig(c, body, image, labels)
		made, err := p.api.ContainerCreate(ctx, config, host, net, platformOf(body.Platform), name)
		switch {
		case err == nil:
			for _, warning := range made.Warnings {
				report(event.Event{Type: event.Warning, Message: warning})
			}
			return made.ID, nil
		case says(err, nameTaken) && time.Since(began) < cleanupTime:
			// The engine may still be making the one that a killed run asked for, and not show it yet.
			if err := p.removeNamesake(ctx, c, name); err != nil {
				return "", err
			}
			if err := wait(ctx, time.Duration(try)*50*time.Millisecond); err != nil {
				return "", err
			}
			continue
		case try < lostTries && isNotFound(err) && strings.Contains(err.Error(), "No such image"):
			p.present.Clear()
			if image, err = p.ensureImage(ctx, c, body, report); err != nil {
				return "", err
			}
			continue
		}
		return "", fmt.Errorf("creating container %s: %w", name, err)
	}
}

// removeNamesake removes a container of ours that was made since the world was observed.
func (p *Provider) removeNamesake(ctx context.Context, c providers.Change, name string) error {
	is, err := p.api.ContainerInspect(ctx, name)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if o, ok := fromLabels(is.Config.Labels); !ok || o.Addr != c.Node.Addr || !sameInstance(o.Instance, c.Instance) {
		return fmt.Errorf("a container named %s is there that is not this environment's; remove it with `docker rm -f %s` or give the instance another name with --name", name, name)
	}
	return p.removeContainer(ctx, is.ID)
}

// updateContainer copies mutable files into a container whose identity stays, mends what was changed by hand, and
// starts it where it does not run.
func (p *Provider) updateContainer(ctx context.Context, c providers.Change, body *envspec.Container) error {
	id := c.Observed.Handle
	changed := c.Observed.Mutable != c.Node.Mutable
	if changed {
		if err := p.copyMutable(ctx, id, body); err != nil {
			return err
		}
	}
	if err := p.mend(ctx, c, body); err != nil {
		return err
	}
	if err := beforeStart(ctx, c, id); err != nil {
		return err
	}
	if c.Observed.State == providers.Failed && c.Observed.Detail == unhealthy && !changed {
		return p.startError(ctx, body, p.api.ContainerRestart(ctx, id, container.StopOptions{}))
	}
	// Starting one that runs is no error.
	err := p.api.ContainerStart(ctx, id, container.StartOptions{})
	if says(err, startsPaused) {
		err = p.api.ContainerUnpause(ctx, id)
	}
	return p.startError(ctx, body, err)
}

func beforeStart(ctx context.Context, c providers.Change, id string) error {
	if c.BeforeStart == nil {
		return nil
	}
	return c.BeforeStart(ctx, providers.Observed{Addr: c.Node.Addr, Instance: c.Instance, Handle: id})
}

// startError says which port a container could not have.
func (p *Provider) startError(ctx context.Context, body *envspec.Container, err error) error {
	if err == nil {
		return nil
	}
	if body.GPUs != 0 && strings.Contains(err.Error(), "could not select device driver") {
		return fmt.Errorf("starting it: this engine offers no GPU; install the NVIDIA container toolkit on its host, or leave `gpus` out: %w", err)
	}
	err = p.asPortTaken(ctx, fmt.Errorf("starting it: %w", err))
	if taken, ok := errors.AsType[*PortTakenError](err); ok {
		for _, port := range body.Ports {
			if port.Host == taken.Port {
				return fmt.Errorf("port %q: %w", port.Name, err)
			}
		}
	}
	return err
}

// removeContainer stops a container as it asked to be stopped, and removes it with its anonymous volumes.
func (p *Provider) removeContainer(ctx context.Context, id string) error {
	if err := p.api.ContainerStop(ctx, id, container.StopOptions{}); err != nil {
		if isNotFound(err) {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		// One that cannot be stopped (paused, half dead) is removed by force below.
	}
	err := p.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || isNotFound(err) {
		return nil
	}
	if !strings.Contains(err.Error(), "already in progress") {
		return err
	}
	done, failed := p.api.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-done:
		return nil
	case err := <-failed:
		if isNotFound(err) {
			return nil
		}
		return err
	}
}
