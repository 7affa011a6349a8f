package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"

	"github.com/envctl/envctl/providers"
)

// applyNetwork makes the instance's bridge network, or finds that another run of envctl just did.
func (p *Provider) applyNetwork(ctx context.Context, c providers.Change) error {
	if c.Observed != nil {
		if c.Action != providers.Replace {
			return nil
		}
		if err := p.removeNetwork(ctx, c.Observed.Handle); err != nil {
			return err
		}
	}
	labels, err := p.nodeLabels(c)
	if err != nil {
		return err
	}
	name := networkName(c.Instance)
	_, err = p.api.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: labels})
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "address pool"):
		return fmt.Errorf("network %s: the engine has no free subnet left; remove networks that nobody uses with `docker network prune`: %w", name, err)
	case strings.Contains(err.Error(), "already exists"):
		return p.adoptNetwork(ctx, c, name)
	}
	return fmt.Errorf("network %s: %w", name, err)
}

// adoptNetwork takes a network that is there for ours if its labels say so.
func (p *Provider) adoptNetwork(ctx context.Context, c providers.Change, name string) error {
	n, err := p.api.NetworkInspect(ctx, name, network.InspectOptions{})
	if err != nil {
		return fmt.Errorf("network %s: %w", name, err)
	}
	if o, ok := fromLabels(n.Labels); ok && o.Addr == c.Node.Addr && sameInstance(o.Instance, c.Instance) {
		return nil
	}
	return fmt.Errorf("a network named %s is there that is not this environment's; remove it with `docker network rm %s` or give the instance another name with --name", name, name)
}

// networksOf lists the networks of an instance, the oldest first. There may be two of one name: an engine goes on with
// what a killed run asked of it, and does not see that another run asks for the same.
func (p *Provider) networksOf(ctx context.Context, i providers.Instance) ([]network.Summary, error) {
	all, err := p.api.NetworkList(ctx, network.ListOptions{Filters: instanceFilter(i)})
	slices.SortFunc(all, olderNetwork)
	return all, err
}

func olderNetwork(a, b network.Summary) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

// removeNetworks removes the networks of an instance, but for so many of the oldest; Observe tells of the oldest.
func (p *Provider) removeNetworks(ctx context.Context, i providers.Instance, keep int) error {
	all, err := p.networksOf(ctx, i)
	if err != nil {
		return err
	}
	for _, n := range all[min(keep, len(all)):] {
		if err := p.removeNetwork(ctx, n.ID); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) removeNetwork(ctx context.Context, id string) error {
	err := p.api.NetworkRemove(ctx, id)
	if err == nil || isNotFound(err) {
		return nil
	}
	if !says(err, networkInUse) {
		return fmt.Errorf("network: %w", err)
	}
	// A container that someone else put on the network holds it; it loses the network and nothing else.
	n, inspectErr := p.api.NetworkInspect(ctx, id, network.InspectOptions{})
	if inspectErr != nil {
		return fmt.Errorf("network: %w", err)
	}
	for guest := range n.Containers {
		if err := p.api.NetworkDisconnect(ctx, id, guest, true); err != nil && !isNotFound(err) {
			return fmt.Errorf("network %s: letting go of container %s: %w", n.Name, guest, err)
		}
	}
	err = p.api.NetworkRemove(ctx, id)
	switch {
	case err == nil || isNotFound(err):
		return nil
	case len(n.Containers) == 0 && says(err, networkInUse):
		return fmt.Errorf("network %s: the engine still counts a container on it that is gone; restart the engine and run this again: %w", n.Name, err)
	}
	return fmt.Errorf("network %s: %w", n.Name, err)
}

func sameInstance(a, b providers.Instance) bool {
	return a.Environment == b.Environment && a.ID == b.ID
}
