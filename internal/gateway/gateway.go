// Package gateway describes the container that carries the wires of one Windows machine: a FROM scratch
// image of envctl's own helper, the machine's endpoint as a file that only root reads, and the wires as a
// file that changes without a new container. What runs inside is package relay.
package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/gateway/relay"
	"github.com/envctl/envctl/internal/secret"
)

// What a gateway carries and what it says of itself.
type (
	Wires      = relay.Wires
	Forward    = relay.Forward
	Reverse    = relay.Reverse
	Status     = relay.Status
	LinkStatus = relay.LinkStatus
	WireStatus = relay.WireStatus
)

// WiresPath is where a gateway has its wires: the one file of it that changes while it runs.
const WiresPath = relay.WiresPath

// Up is the state of a link or a wire that works.
const Up = relay.Up

// Commands that are run inside a gateway's container.
var (
	// statusCommand prints a Status as JSON.
	statusCommand = []string{"/envctl-node", "gateway", "status"}
	// checkCommand ends with 0 when the link and every wire is up, and else says on stderr what is not.
	checkCommand = []string{"/envctl-node", "gateway", "check"}
)

// StatusCommand is what to run in a gateway's container to get its Status as JSON.
func StatusCommand() []string { return slices.Clone(statusCommand) }

// ParseStatus reads what StatusCommand printed.
func ParseStatus(out []byte) (Status, error) {
	var s Status
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("the gateway's status: %w", err)
	}
	return s, nil
}

// Params is what a gateway is made of besides its machine.
type Params struct {
	Node  blob.Blob // envctl-node for the engine's architecture
	Guest blob.Blob // envctl-guest.exe for the machine's, gzipped or not
	Wires Wires
}

const dockerfile = `FROM scratch
COPY envctl-node /envctl-node
COPY helper /helper
ENTRYPOINT ["/envctl-node", "gateway", "run"]
`

// Container describes the gateway of m, whose Address and WinRM are as the environment's network knows them. After and
// ExtraHosts are left to the caller. Its network name is the machine's, and it publishes every port of m, so that
// a new wire never replaces it.
func Container(m *envspec.Machine, in Params) (*envspec.Container, error) {
	if in.Node.IsZero() || in.Guest.IsZero() {
		return nil, errors.New("the gateway's programs are missing: this envctl was built without its helpers; build it with `make build`")
	}
	if err := checkPorts(m, in.Wires); err != nil {
		return nil, err
	}
	config, err := machineConfig(m)
	if err != nil {
		return nil, err
	}
	wires, err := json.MarshalIndent(in.Wires, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("wires: %w", err)
	}
	return &envspec.Container{
		Addr: m.Addr.Sibling(addr.Gateway),
		Build: &envspec.Build{Tag: "gateway", Files: map[string]blob.Blob{
			"Dockerfile":  blob.Of([]byte(dockerfile)),
			"envctl-node": in.Node,
			"helper":      in.Guest,
		}},
		Ports: slices.Clone(m.Ports),
		Files: []envspec.File{
			{Path: relay.ConfigPath, Content: secret.Text{Value: string(config), Sensitive: true}, Mode: 0o400},
			{Path: relay.WiresPath, Content: secret.Plain(string(wires)), Mode: 0o444, Mutable: true},
		},
		Ready:     &envspec.Ready{Exec: slices.Clone(checkCommand)},
		Restart:   "unless-stopped",
		StopGrace: 3 * time.Second, // it ends within one
	}, nil
}

// checkPorts refuses what the gateway could not carry.
func checkPorts(m *envspec.Machine, w Wires) error {
	for _, p := range m.Ports {
		if p.Protocol != "" && p.Protocol != "tcp" {
			return fmt.Errorf("port %q of %s: a machine's ports are carried over TCP only, not %s", p.Name, m.Addr, p.Protocol)
		}
	}
	data, err := json.Marshal(w)
	if err == nil {
		_, err = relay.ParseWires(data)
	}
	return err
}

func machineConfig(m *envspec.Machine) ([]byte, error) {
	w := m.WinRM
	c := relay.Machine{
		Addr: m.Addr, Address: m.Address, Port: w.Port, HTTPS: w.HTTPS, Auth: w.Auth, Insecure: w.Insecure,
		User: w.User, Password: w.Password, Fingerprint: w.Fingerprint,
		ServerName: w.ServerName,
	}
	// A spec's address may carry a port of its own.
	if host, port, err := net.SplitHostPort(m.Address); err == nil && c.Port == 0 {
		if n, err := strconv.Atoi(port); err == nil {
			c.Address, c.Port = host, n
		}
	}
	if c.Port == 0 {
		c.Port = 5985
		if w.HTTPS {
			c.Port = 5986
		}
	}
	if w.CAFile != "" {
		pem, err := os.ReadFile(w.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file of %s: %w", m.Addr, err)
		}
		c.CA = string(pem)
	}
	if c.CA == "" && c.Fingerprint == "" {
		c.CA = w.ExtraCA // a gateway has no authorities of its own
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("endpoint of %s: %w", m.Addr, err)
	}
	return data, nil
}
