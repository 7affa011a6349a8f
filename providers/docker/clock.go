package docker

import (
	"context"
	"fmt"
	"time"
)

// Now is what time it is on the engine, by whose clock logs and images are dated. This computer's may be another: an
// engine in a virtual machine falls behind while the computer sleeps, and a remote one has its own.
func (p *Provider) Now(ctx context.Context) (time.Time, error) {
	if err := p.connect(ctx); err != nil {
		return time.Time{}, err
	}
	info, err := p.api.Info(ctx)
	if err != nil {
		return time.Time{}, p.explain(err)
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return time.Time{}, fmt.Errorf("what time it is on the engine: %w", err)
	}
	return now, nil
}
