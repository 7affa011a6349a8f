// Package topology turns an evaluated environment into the graph that is planned: the network, the
// containers, and for each Windows machine the ordinary containers that it needs, the sandbox that it
// runs on and the gateway that carries its wires. It hashes what each of them is made of.
package topology

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/gateway"
	"github.com/envctl/envctl/internal/hostlink"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/windows"
)

// NetworkAddr is the address of an environment's one network.
var NetworkAddr = addr.Addr{Kind: addr.Network, Name: "default"}

// Ports gives each declared port, and those of sandboxes, its number on the host, and each endpoint
// its number inside a machine. *wire.Assignment is one.
type Ports interface {
	HostPort(addr.Endpoint) int
	GuestPort(machine addr.Addr, ep addr.Endpoint) int
}

// Helpers are envctl's own programs for the containers it makes.
type Helpers struct {
	Node        blob.Blob // envctl-node for the engine's processor, an ELF executable
	SandboxNode blob.Blob // the same for amd64
	Guest       blob.Blob // envctl-guest.exe for amd64
	// Emulated says that the engine's processor is not amd64, which a sandbox needs.
	Emulated bool
}

// Identity is what a sandbox is set up with. While planning only User and Fingerprint are real.
type Identity struct {
	User        string
	Password    secret.Text
	Certificate string // PEM
	Key         secret.Text
	Fingerprint string
}

// Input is what an environment is expanded with.
type Input struct {
	Environment *envspec.Environment
	Endpoints   []envspec.EndpointDecl
	Ports       Ports
	Helpers     Helpers
	// Sandbox gives the identity of a sandbox machine.
	Sandbox func(machine addr.Addr) (Identity, error)
	// PowerShell is a folder on the host with PowerShell for Windows, or "".
	PowerShell string
	// Egress is how traffic leaves the corporate network that this computer is in; nil where nothing is needed.
	Egress *egress.Settings
	// HostReachable says that containers reach the host's loopback as host.docker.internal, as on Docker Desktop;
	// else a relay is put up for a machine that is there.
	HostReachable bool
	// Remote names the engine where it is on another computer, which reaches neither this one's loopback nor its
	// files; "" is here.
	Remote string
}

// Bodies gives the body of every resource: *providers.Network, *envspec.Container, *envspec.Machine. The
// environment's containers become bodies themselves; its machines are not changed.
func Bodies(in Input) (map[addr.Addr]any, error) {
	bodies := make(map[addr.Addr]any, len(in.Environment.Containers)+3*len(in.Environment.Machines)+2)
	bodies[NetworkAddr] = &providers.Network{}
	base := []addr.Addr{NetworkAddr}
	if in.Remote != "" {
		bodies[ForwardAddr] = forwardContainer(in.Helpers.Node)
		base = append(base, ForwardAddr) // by which what comes after is checked
	}
	in.Egress = in.Egress.WithDirect(wireNames(in.Environment)...)
	for _, c := range in.Environment.Containers {
		c.Ports = hostPorts(in, c.Addr, c.Ports)
		c.After = slices.Concat(base, c.After)
		setEgress(c, in.Egress)
		bodies[c.Addr] = c
	}
	for _, m := range in.Environment.Machines {
		if err := machine(in, *m, base, bodies); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Addr, err)
		}
	}
	return bodies, nil
}

// machine adds the three nodes of a sandbox machine, or the two of one that exists already.
func machine(in Input, m envspec.Machine, base []addr.Addr, bodies map[addr.Addr]any) error {
	if in.Egress != nil && m.WinRM.CAFile == "" && m.WinRM.Fingerprint == "" {
		m.WinRM.ExtraCA = in.Egress.CA
	}
	link := m // as the gateway sees the machine
	var extraHosts map[string]string
	gatewayAfter := slices.Clone(base)
	if m.Sandbox {
		id, err := in.Sandbox(m.Addr)
		if err != nil {
			return err
		}
		if in.Remote != "" {
			in.PowerShell = "" // a folder here
		}
		c, err := Sandbox(m.Addr.Sibling(addr.Sandbox), id, in.Helpers, in.PowerShell)
		if err != nil {
			return err
		}
		c.Ports = hostPorts(in, c.Addr, c.Ports)
		c.Build.Egress = in.Egress.Inside() // its packages come from outside; what runs in it needs nothing from there
		c.After = slices.Clone(base)
		bodies[c.Addr] = c
		m.WinRM = envspec.WinRM{User: id.User, Password: id.Password, HTTPS: true, Auth: "ntlm", Fingerprint: id.Fingerprint}
		link.WinRM = m.WinRM
		m.Address, m.WinRM.Port = "127.0.0.1", c.Ports[0].Host
		link.Address, link.WinRM.Port = c.Addr.DNS(), sandbox.HTTPSPort
		gatewayAfter = append(gatewayAfter, c.Addr)
	} else if NeedsRelay(m.Address) {
		if in.Remote != "" {
			return fmt.Errorf("its address %s is this computer's own, and the engine at %s is on another one, where the gateway runs; give the address at which that computer reaches the machine, or use an engine of this one", m.Address, in.Remote)
		}
		link.WinRM.ServerName = m.Address // the host's name here is not in the machine's certificate
		link.Address, link.WinRM.Port, extraHosts = hostlink.Host, winrmPort(&m), hostGateway()
		if !in.HostReachable {
			port := in.Ports.HostPort(RelayEndpoint(m.Addr))
			link.WinRM.Port = port
			r := relay(&m, in.Helpers.Node, port)
			bodies[r.Addr] = r
			gatewayAfter = append(gatewayAfter, r.Addr)
		}
	}
	m.Ports = hostPorts(in, m.Addr, m.Ports)
	link.Ports = m.Ports

	gw, err := gateway.Container(&link, gateway.Params{
		Node: in.Helpers.Node, Guest: in.Helpers.Guest, Wires: wires(in, &m),
	})
	if err != nil {
		return err
	}
	gw.After, gw.ExtraHosts = gatewayAfter, extraHosts
	bodies[gw.Addr] = gw
	m.After = append(slices.Clone(m.After), gw.Addr)
	bodies[m.Addr] = &m
	return nil
}

// SandboxEndpoint is WinRM of a sandbox, which needs a host port though no spec declares it.
func SandboxEndpoint(machine addr.Addr) addr.Endpoint {
	return addr.Endpoint{Addr: machine.Sibling(addr.Sandbox), Port: "https"}
}

// RelayEndpoint is where a relay listens; it too needs a host port.
func RelayEndpoint(machine addr.Addr) addr.Endpoint {
	return addr.Endpoint{Addr: machine.Sibling(addr.Relay), Port: "winrm"}
}

// Sandbox gives the container of a stand-in Windows machine. Its first port is WinRM over HTTPS, its second over HTTP.
func Sandbox(a addr.Addr, id Identity, h Helpers, powershell string) (*envspec.Container, error) {
	config, err := json.Marshal(sandbox.Config{
		User: id.User, Password: id.Password.Reveal(), Certificate: id.Certificate, Key: id.Key.Reveal(),
	})
	if err != nil {
		return nil, err
	}
	c := &envspec.Container{
		Addr:    a,
		Build:   &envspec.Build{Files: sandbox.BuildContext(h.SandboxNode, h.Guest), Tag: "sandbox"},
		Ports:   []envspec.Port{{Name: "https", Guest: sandbox.HTTPSPort, Protocol: "tcp"}},
		Files:   []envspec.File{{Path: sandbox.ConfigPath, Content: secret.Text{Value: string(config), Sensitive: true}, Mode: 0o400}},
		Ready:   &envspec.Ready{Exec: sandbox.CheckCommand()},
		Restart: "unless-stopped",
		Init:    true,
	}
	if h.Emulated {
		c.Platform = "linux/amd64"
	}
	if powershell != "" {
		c.Volumes = []envspec.Volume{{Name: "pwsh", Source: powershell, Target: sandbox.PwshPath, ReadOnly: true}}
	}
	return c, nil
}

// wires says which ports a machine's gateway forwards into it, and which endpoints its guest reaches.
func wires(in Input, m *envspec.Machine) gateway.Wires {
	var w gateway.Wires
	for _, p := range m.Ports {
		w.Forwards = append(w.Forwards, gateway.Forward{Port: p.Name, Listen: p.Guest, Guest: p.Guest})
	}
	seen := map[addr.Endpoint]bool{}
	for _, wire := range in.Environment.Wires {
		if wire.From != m.Addr || wire.To.Addr == m.Addr || seen[wire.To] {
			continue
		}
		seen[wire.To] = true
		w.Reverse = append(w.Reverse, gateway.Reverse{
			To: wire.To, GuestListen: in.Ports.GuestPort(m.Addr, wire.To),
			Dial: fmt.Sprintf("%s:%d", wire.To.Addr.DNS(), guestPort(in, wire.To)),
		})
	}
	return w
}

func guestPort(in Input, ep addr.Endpoint) int {
	for _, d := range in.Endpoints {
		if d.Endpoint == ep {
			return d.Port.Guest
		}
	}
	return 0
}

func hostPorts(in Input, a addr.Addr, ports []envspec.Port) []envspec.Port {
	ports = slices.Clone(ports)
	for i := range ports {
		ports[i].Host = in.Ports.HostPort(addr.Endpoint{Addr: a, Port: ports[i].Name})
	}
	return ports
}

// Nodes hashes bodies made with stand-ins into the nodes that are planned, in order of address.
// BuildID gives the identity of an image that is built.
func Nodes(bodies map[addr.Addr]any, buildID func(*envspec.Container) (string, error)) ([]providers.Node, error) {
	nodes := make([]providers.Node, 0, len(bodies))
	for a, body := range bodies {
		n := providers.Node{Addr: a, Body: body}
		switch b := body.(type) {
		case *providers.Network:
			n.Identity = "network"
		case *envspec.Container:
			n.After = b.After
			if err := hashContainer(&n, b, buildID); err != nil {
				return nil, fmt.Errorf("%s: %w", a, err)
			}
		case *envspec.Machine:
			n.After = b.After
			n.Layers = windows.HashLayers(b.Layers)
		}
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(x, y providers.Node) int { return plan.Compare(x.Addr, y.Addr) })
	return nodes, nil
}
