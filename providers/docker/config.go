package docker

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

// loopback is where ports are published: nothing of an environment is offered to the network around it.
const loopback = "127.0.0.1"

// containerConfig says in the engine's words what body says in ours.
func containerConfig(c providers.Change, body *envspec.Container, image string, labels map[string]string) (*container.Config, *container.HostConfig, *network.NetworkingConfig) {
	exposed, published := ports(body.Ports)
	config := &container.Config{
		Image: image, Cmd: body.Command, Entrypoint: body.Entrypoint, Labels: labels,
		User: body.User, WorkingDir: body.WorkingDir, StopSignal: body.StopSignal,
		ExposedPorts: exposed,
	}
	for _, k := range slices.Sorted(maps.Keys(body.Env)) {
		config.Env = append(config.Env, k+"="+body.Env[k].Reveal())
	}
	if name := body.Addr.DNS(); len(name) <= 63 {
		config.Hostname = name
	}
	if body.Hostname != "" {
		config.Hostname = body.Hostname
	}
	if body.StopGrace > 0 {
		seconds := int(math.Ceil(body.StopGrace.Seconds()))
		config.StopTimeout = &seconds
	}
	netName := networkName(c.Instance)
	host := &container.HostConfig{
		NetworkMode:   container.NetworkMode(netName),
		PortBindings:  published,
		Mounts:        mounts(c.Instance, body),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyMode(body.Restart)},
		CapAdd:        body.CapAdd,
		Privileged:    body.Privileged,
		Resources:     resources(body),
	}
	isolate(host, body)
	if body.Init {
		host.Init = &body.Init
	}
	for _, name := range slices.Sorted(maps.Keys(body.ExtraHosts)) {
		host.ExtraHosts = append(host.ExtraHosts, name+":"+body.ExtraHosts[name])
	}
	for _, t := range body.Tmpfs {
		if host.Tmpfs == nil {
			host.Tmpfs = map[string]string{}
		}
		path, options, _ := strings.Cut(t, ":")
		host.Tmpfs[path] = options
	}
	net := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		netName: {Aliases: aliases(body)},
	}}
	if body.NetworkMode != "" {
		// On another's network it has no name and publishes nothing: its ports are there already.
		host.NetworkMode, host.PortBindings = container.NetworkMode(body.NetworkMode), nil
		config.Hostname, config.ExposedPorts = "", nil
		net = &network.NetworkingConfig{}
	}
	return config, host, net
}

func ports(declared []envspec.Port) (nat.PortSet, nat.PortMap) {
	exposed, published := nat.PortSet{}, nat.PortMap{}
	for _, port := range declared {
		key := natPort(port)
		exposed[key] = struct{}{}
		if port.Host > 0 {
			published[key] = append(published[key], nat.PortBinding{HostIP: loopback, HostPort: strconv.Itoa(port.Host)})
		}
	}
	return exposed, published
}

func natPort(port envspec.Port) nat.Port {
	protocol := port.Protocol
	if protocol == "" {
		protocol = "tcp"
	}
	return nat.Port(fmt.Sprintf("%d/%s", port.Guest, protocol))
}

// platformOf reads "linux/arm64/v8"; nil leaves the choice to the engine.
func platformOf(s string) *ocispec.Platform {
	if s == "" {
		return nil
	}
	part := strings.SplitN(s, "/", 3)
	platform := &ocispec.Platform{OS: part[0]}
	if len(part) > 1 {
		platform.Architecture = part[1]
	}
	if len(part) > 2 {
		platform.Variant = part[2]
	}
	return platform
}

// orDuration gives d, or def where d is not set.
func orDuration(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}
