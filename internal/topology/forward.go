package topology

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/providers"
)

// ForwardAddr is what stands in the environment's network where its engine is on another computer.
var ForwardAddr = addr.Addr{Kind: addr.Forward, Name: "default"}

func forwardContainer(node blob.Blob) *envspec.Container {
	return &envspec.Container{
		Addr:      ForwardAddr,
		Build:     envspec.NodeBuild(node),
		Command:   forward.WaitCommand(),
		Restart:   "unless-stopped",
		StopGrace: time.Second,
		After:     []addr.Addr{NetworkAddr},
	}
}

// Forwards lists the ports that nodes publish as what a forward listens on and where it leads, in order. UDP is not
// among them: a link carries none.
func Forwards(nodes []providers.Node) []forward.Port {
	ports := []forward.Port{}
	for _, n := range nodes {
		c, ok := n.Body.(*envspec.Container)
		if !ok || c.NetworkMode != "" {
			continue
		}
		for _, p := range c.Ports {
			if p.Host > 0 && p.Protocol != "udp" {
				ports = append(ports, forward.Port{Listen: p.Host, To: net.JoinHostPort(c.Addr.DNS(), strconv.Itoa(p.Guest))})
			}
		}
	}
	slices.SortFunc(ports, func(a, b forward.Port) int { return cmp.Compare(a.Listen, b.Listen) })
	return ports
}
