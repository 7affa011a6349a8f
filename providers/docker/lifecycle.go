package docker

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/providers"
)

// Stop stops a container as it asked to be stopped and leaves it there; the engine does not start it again by
// itself. One that is stopped or gone already is no error.
func (p *Provider) Stop(ctx context.Context, o providers.Observed) error {
	if err := p.api.ContainerStop(ctx, o.Handle, container.StopOptions{}); err != nil && !isNotFound(err) {
		return p.explain(fmt.Errorf("stopping %s: %w", o.Addr, err))
	}
	return nil
}
