package topology

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/hostlink"
)

// NeedsRelay reports whether only the host itself can reach a machine: its address is on the host's loopback.
func NeedsRelay(address string) bool {
	ip := net.ParseIP(address)
	return address == "localhost" || ip != nil && ip.IsLoopback()
}

// relay describes the container that carries a gateway's connection to such a machine. Its one port is on the
// host already, since it shares the host's network.
func relay(m *envspec.Machine, node blob.Blob, port int) *envspec.Container {
	listen := fmt.Sprintf("%s:%d", hostlink.Host, port)
	return &envspec.Container{
		Addr:        m.Addr.Sibling(addr.Relay),
		Build:       envspec.NodeBuild(node),
		Command:     []string{"relay", "run", listen, net.JoinHostPort(m.Address, strconv.Itoa(winrmPort(m)))},
		Ready:       &envspec.Ready{Exec: []string{"/envctl-node", "relay", "check", listen}},
		Ports:       []envspec.Port{{Name: "winrm", Guest: port, Host: port, Protocol: "tcp"}},
		ExtraHosts:  hostGateway(),
		NetworkMode: "host",
		Restart:     "unless-stopped",
		StopGrace:   time.Second,
		After:       []addr.Addr{NetworkAddr},
	}
}

func hostGateway() map[string]string { return map[string]string{hostlink.Host: "host-gateway"} }

func winrmPort(m *envspec.Machine) int {
	switch {
	case m.WinRM.Port != 0:
		return m.WinRM.Port
	case m.WinRM.HTTPS:
		return 5986
	}
	return 5985
}
