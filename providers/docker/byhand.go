package docker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

// The parts of a container that a person can change while it exists: its name, its networks, and what `docker update`
// takes. All else, its labels too, stays as it was made.
const (
	partName    = "name"
	partNetwork = "network"
	partMemory  = "memory"
	partCPUs    = "cpus"
)

// byHand says what a list shows to be no longer as envctl made it. The network is the instance's.
func byHand(c container.Summary, o providers.Observed, networkID string) []guestproto.Difference {
	var all []guestproto.Difference
	want := containerName(o.Instance, o.Addr)
	if named := func(n string) bool { return strings.TrimPrefix(n, "/") == want }; len(c.Names) > 0 && !slices.ContainsFunc(c.Names, named) {
		all = append(all, guestproto.Difference{Name: partName, Want: want, Is: strings.TrimPrefix(c.Names[0], "/")})
	}
	name := networkName(o.Instance)
	if c.HostConfig.NetworkMode != name || c.NetworkSettings == nil {
		return all
	}
	// An engine that is not Docker may have the name in place of the id.
	on := c.NetworkSettings.Networks[name]
	if on == nil || on.NetworkID != "" && on.NetworkID != name && on.NetworkID != networkID {
		all = append(all, guestproto.Difference{Name: partNetwork, Want: name})
	}
	return all
}

// readLimits looks at the containers that have limits, which no list shows, and notes what of them was changed.
func (p *Provider) readLimits(ctx context.Context, all []providers.Observed) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range all {
		o := &all[i]
		if o.Parts[partMemory] == "" && o.Parts[partCPUs] == "" || o.Detail == providers.Incomplete || o.Addr.Kind == addr.Job {
			continue
		}
		g.Go(func() error {
			is, err := p.api.ContainerInspect(ctx, o.Handle)
			if isNotFound(err) {
				return nil // removed since it was listed
			}
			if err != nil {
				return fmt.Errorf("%s: %w", o.Addr, err)
			}
			o.ByHand = append(o.ByHand, limitsByHand(o.Parts, is.HostConfig.Resources)...)
			return nil
		})
	}
	return g.Wait()
}

// limitsByHand compares limits with those that a container was made with. One that is 0 the engine itself left out, as
// where the kernel cannot have it: nobody can take a limit away. An engine may keep less of a fraction than we do.
func limitsByHand(parts map[string]string, is container.Resources) []guestproto.Difference {
	const near = 1e-4
	var all []guestproto.Difference
	for _, limit := range []struct {
		name string
		is   float64
	}{{partMemory, float64(is.Memory)}, {partCPUs, float64(is.NanoCPUs) / nano}} {
		want, err := strconv.ParseFloat(parts[limit.name], 64)
		if err == nil && limit.is != 0 && math.Abs(want-limit.is) > near {
			all = append(all, guestproto.Difference{Name: limit.name, Want: parts[limit.name], Is: strconv.FormatFloat(limit.is, 'f', -1, 64)})
		}
	}
	return all
}

// nano is how many of the engine's units one processor is.
const nano = 1e9

func resources(body *envspec.Container) container.Resources {
	return container.Resources{Memory: body.Memory, NanoCPUs: int64(body.CPUs * nano)}
}

// mend puts back what was changed by hand.
func (p *Provider) mend(ctx context.Context, c providers.Change, body *envspec.Container) error {
	limits := false
	for _, d := range c.Observed.ByHand {
		var err error
		switch d.Name {
		case partName:
			err = p.rename(ctx, c, d.Want)
		case partNetwork:
			err = p.reconnect(ctx, c, body)
		case partMemory, partCPUs:
			limits = true
		}
		if err != nil {
			return err
		}
	}
	if !limits {
		return nil
	}
	to := resources(body)
	to.MemorySwap = 2 * to.Memory // as the engine has it where it is not told, and refuses to have less than memory
	if _, err := p.api.ContainerUpdate(ctx, c.Observed.Handle, container.UpdateConfig{Resources: to}); err != nil {
		return fmt.Errorf("giving it its memory and cpus back: %w; `docker rm -f %s` and another run make it anew", err, containerName(c.Instance, c.Node.Addr))
	}
	return nil
}

func (p *Provider) rename(ctx context.Context, c providers.Change, name string) error {
	err := p.api.ContainerRename(ctx, c.Observed.Handle, name)
	if err != nil && strings.Contains(err.Error(), "already in use") {
		if err := p.removeNamesake(ctx, c, name); err != nil {
			return err
		}
		err = p.api.ContainerRename(ctx, c.Observed.Handle, name)
	}
	if err != nil {
		return fmt.Errorf("giving it its name %s back: %w", name, err)
	}
	return nil
}

// reconnect puts a container on the instance's network, under the names it had there. It may still count as on one
// that is gone.
func (p *Provider) reconnect(ctx context.Context, c providers.Change, body *envspec.Container) error {
	name := networkName(c.Instance)
	if err := p.api.NetworkDisconnect(ctx, name, c.Observed.Handle, true); err != nil && ctx.Err() != nil {
		return err
	}
	err := p.api.NetworkConnect(ctx, name, c.Observed.Handle, &network.EndpointSettings{Aliases: aliases(body)})
	if err != nil {
		return fmt.Errorf("putting it back on network %s: %w", name, err)
	}
	return nil
}

// aliases are the names by which others on the network know a container.
func aliases(body *envspec.Container) []string {
	return append([]string{body.Addr.DNS()}, body.Aliases...)
}
