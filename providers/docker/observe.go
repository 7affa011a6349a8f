package docker

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/providers"
)

// Observe lists the networks and containers of an instance, sorted by address. It makes one call for all
// containers and one for the network, and one more for each container that has mutable files, or limits. It
// changes nothing.
func (p *Provider) Observe(ctx context.Context, i providers.Instance) ([]providers.Observed, error) {
	return p.observe(ctx, instanceFilter(i))
}

// ObserveAll lists the networks and containers of every instance on the engine.
func (p *Provider) ObserveAll(ctx context.Context) ([]providers.Observed, error) {
	return p.observe(ctx, filters.NewArgs(filters.Arg("label", labelInstance)))
}

func (p *Provider) observe(ctx context.Context, filter filters.Args) ([]providers.Observed, error) {
	containers, networks, err := p.list(ctx, filter, filter)
	if err != nil {
		return nil, err
	}
	return p.observed(ctx, containers, networks)
}

// Survey is Observe and PortsInUse with one list of containers between them.
func (p *Provider) Survey(ctx context.Context, i providers.Instance) ([]providers.Observed, []PortInUse, error) {
	containers, networks, err := p.list(ctx, filters.Args{}, instanceFilter(i))
	if err != nil {
		return nil, nil, err
	}
	ports := portsInUse(containers)
	ours := slices.DeleteFunc(containers, func(c container.Summary) bool {
		return c.Labels[labelEnvironment] != i.Environment || c.Labels[labelInstance] != i.ID
	})
	observed, err := p.observed(ctx, ours, networks)
	return observed, ports, err
}

// list asks for containers and networks at once.
func (p *Provider) list(ctx context.Context, ofContainers, ofNetworks filters.Args) (containers []container.Summary, networks []network.Summary, err error) {
	if err := p.connect(ctx); err != nil {
		return nil, nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		containers, err = p.api.ContainerList(gctx, container.ListOptions{All: true, Filters: ofContainers})
		return err
	})
	g.Go(func() (err error) {
		networks, err = p.api.NetworkList(gctx, network.ListOptions{Filters: ofNetworks})
		return err
	})
	err = g.Wait()
	return containers, networks, p.explain(err)
}

// observed says how the resources are that lists have.
func (p *Provider) observed(ctx context.Context, containers []container.Summary, networks []network.Summary) ([]providers.Observed, error) {
	var all []providers.Observed
	slices.SortFunc(networks, olderNetwork)
	networkIDs := map[string]string{} // by the name that an instance's has
	for _, n := range networks {
		o, ok := fromLabels(n.Labels)
		if !ok || o.Addr.Kind != addr.Network || slices.ContainsFunc(all, func(is providers.Observed) bool { return sameInstance(is.Instance, o.Instance) }) {
			continue
		}
		o.State, o.Handle = providers.Ready, n.ID
		networkIDs[networkName(o.Instance)] = n.ID
		all = append(all, o)
	}
	for _, c := range containers {
		o, ok := fromLabels(c.Labels)
		if !ok || o.Addr.Kind == addr.Network {
			continue
		}
		o.Handle = c.ID
		o.State, o.Detail = stateOf(c.State, c.Status)
		if o.Addr.Kind == addr.Job {
			o.State, o.Detail = jobState(o.State, o.Detail)
		}
		if o.Detail == providers.Incomplete {
			o.Identity = ""
		} else if o.Addr.Kind != addr.Job { // a job's is of its run alone
			o.ByHand = byHand(c, o, networkIDs[networkName(o.Instance)])
		}
		all = append(all, o)
	}
	if err := p.readCarried(ctx, all); err != nil {
		return nil, p.explain(err)
	}
	if err := p.readLimits(ctx, all); err != nil {
		return nil, p.explain(err)
	}
	slices.SortStableFunc(all, func(a, b providers.Observed) int {
		return cmp.Or(cmp.Compare(a.Instance.Environment, b.Instance.Environment), cmp.Compare(a.Instance.ID, b.Instance.ID),
			cmp.Compare(a.Addr.String(), b.Addr.String()))
	})
	return all, nil
}

var exitCode = lazyregexp.New(`\((\d+)\)`)

// stateOf reads a list entry's state and status, such as "exited" and "Exited (137) 3 minutes ago". A
// container is started last, after all that belongs in it was copied, so one that never was is incomplete.
func stateOf(state, status string) (providers.State, string) {
	code := ""
	if m := exitCode.FindStringSubmatch(status); m != nil {
		code = m[1]
	}
	switch state {
	case container.StateRunning:
		switch {
		case strings.Contains(status, "(unhealthy)"):
			return providers.Failed, unhealthy
		case strings.Contains(status, "(health: starting)"):
			return providers.Starting, "its health check has not passed yet"
		}
		return providers.Ready, ""
	case container.StateCreated:
		return providers.Failed, providers.Incomplete
	case container.StateRestarting:
		return providers.Starting, "restarting after exit code " + code
	case container.StatePaused:
		return providers.Stopped, "paused"
	case container.StateExited, "stopped": // which Podman says until it has cleaned up
		switch code {
		case "0", "130", "137", "143": // ended by itself, or by the signals with which people and engines stop
			return providers.Stopped, "exited with code " + code
		}
		return providers.Failed, "exited with code " + code
	}
	return providers.Failed, state
}

// jobState reads for a job what stateOf read for a container that should stay.
func jobState(state providers.State, detail string) (providers.State, string) {
	switch {
	case state == providers.Ready:
		return providers.Starting, "running"
	case detail == "exited with code 0":
		return providers.Ready, "done"
	}
	return state, detail
}

// readCarried fills in what containers carry in their mutable files now.
func (p *Provider) readCarried(ctx context.Context, all []providers.Observed) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, o := range all {
		if len(o.Carried) == 0 || o.Detail == providers.Incomplete {
			continue
		}
		g.Go(func() error {
			for path := range o.Carried {
				content, err := p.readFile(ctx, o.Handle, path)
				if err != nil {
					return fmt.Errorf("%s: %w", o.Addr, err)
				}
				o.Carried[path] = content
			}
			return nil
		})
	}
	return g.Wait()
}

// readFile gives a small file of a container, or nothing where there is none.
func (p *Provider) readFile(ctx context.Context, id, path string) ([]byte, error) {
	body, _, err := p.api.CopyFromContainer(ctx, id, path)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	r := tar.NewReader(body)
	if _, err := r.Next(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return io.ReadAll(io.LimitReader(r, 1<<20))
}

// PortInUse is a port of the engine's host that a container publishes, or will once it is started again.
type PortInUse struct {
	Port     int
	Protocol string // "tcp" or "udp"
	// Holder is the container's name.
	Holder string
	// Addr and Instance are set where the container is envctl's.
	Addr     addr.Addr
	Instance providers.Instance
}

// PortsInUse lists the host ports that containers on the engine hold, envctl's or not, sorted by number.
func (p *Provider) PortsInUse(ctx context.Context) ([]PortInUse, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	containers, err := p.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, p.explain(err)
	}
	return portsInUse(containers), nil
}

func portsInUse(containers []container.Summary) []PortInUse {
	var ports []PortInUse
	for _, c := range containers {
		held := PortInUse{Protocol: "tcp"}
		if len(c.Names) > 0 {
			held.Holder = strings.TrimPrefix(c.Names[0], "/")
		}
		o, ours := fromLabels(c.Labels)
		if ours {
			held.Addr, held.Instance = o.Addr, o.Instance
		}
		published := map[PortInUse]bool{}
		for _, port := range c.Ports {
			if port.PublicPort != 0 {
				held.Port, held.Protocol = int(port.PublicPort), port.Type
				published[held] = true // an engine lists one for IPv4 and one for IPv6
			}
		}
		if len(published) == 0 {
			for _, n := range o.Ports {
				held.Port, held.Protocol = n, "tcp"
				published[held] = true
			}
		}
		for h := range published {
			ports = append(ports, h)
		}
	}
	slices.SortFunc(ports, func(a, b PortInUse) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Holder, b.Holder))
	})
	return ports
}

// unhealthy is the Detail of a container that runs and whose own health check fails.
const unhealthy = "its health check fails"
