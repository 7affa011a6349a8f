package docker

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/providers"
)

// Stop ends a container as it asked to be ended, with its own signal and grace, and leaves it there. One that
// does not run is no error.
func (p *Provider) Stop(ctx context.Context, o providers.Observed) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.api.ContainerStop(ctx, o.Handle, container.StopOptions{}); err != nil {
		return p.explain(fmt.Errorf("stopping %s: %w", o.Addr, err))
	}
	return nil
}

// Start starts a container that is there. One that runs is no error. A port that something else took in the
// meantime is a *PortTakenError.
func (p *Provider) Start(ctx context.Context, o providers.Observed) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	err := p.api.ContainerStart(ctx, o.Handle, container.StartOptions{})
	if says(err, startsPaused) {
		err = p.api.ContainerUnpause(ctx, o.Handle)
	}
	if err != nil {
		return p.explain(p.asPortTaken(ctx, fmt.Errorf("starting %s: %w", o.Addr, err)))
	}
	return nil
}
