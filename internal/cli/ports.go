package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/view"
)

func (a *app) portsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ports [ADDRESS...]",
		Short: "Show where each port is reached",
		Long: `Show, for each port that the spec declares, its address on this computer, its address for containers of the
environment, and its number inside the resource itself. With addresses, those of these resources alone.`,
		Example: "  envctl ports\n  envctl ports db --json",
		RunE:    func(_ *cobra.Command, args []string) error { return a.listPorts(args) },
	}
	a.specFlags(c)
	return c
}

type portsOutput struct {
	Format int        `json:"format"`
	Ports  []portLine `json:"ports"`
}

type portLine struct {
	Port     addr.Endpoint `json:"port"`
	Protocol string        `json:"protocol"`
	Scheme   string        `json:"scheme,omitempty"`
	Host     string        `json:"host"`   // as this computer reaches it
	Inside   string        `json:"inside"` // as the environment's containers reach it
	Guest    int           `json:"guest"`
}

func (a *app) listPorts(names []string) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	if _, _, err := s.here(a.interrupts.stop); err != nil {
		return err
	}
	var only []addr.Addr
	for _, name := range names {
		found, err := pickAll(addresses(s.spec), name)
		if err != nil {
			return err
		}
		only = append(only, found...)
	}
	out := portsOutput{Format: view.Format, Ports: s.portLines(only)}
	if a.json {
		return json.NewEncoder(a.Out).Encode(out)
	}
	rows := [][]string{{"PORT", "HOST", "INSIDE", "GUEST"}}
	for _, p := range out.Ports {
		guest := strconv.Itoa(p.Guest)
		if p.Protocol != "tcp" {
			guest += "/" + p.Protocol
		}
		rows = append(rows, []string{p.Port.String(), p.Host, p.Inside, guest})
	}
	return view.Table(a.Out, rows, a.colorOut())
}

// portLines describes the ports of some resources, or of all.
func (s *session) portLines(only []addr.Addr) []portLine {
	lines := []portLine{}
	inside := addr.Addr{Kind: addr.Container} // some container: all see the same
	for _, e := range s.spec.Endpoints() {
		if len(only) > 0 && !slices.Contains(only, e.Endpoint.Addr) {
			continue
		}
		lines = append(lines, portLine{
			Port: e.Endpoint, Protocol: protocol(e.Port), Scheme: e.Port.Scheme, Guest: e.Port.Guest,
			Host: s.address(addr.Host, e.Endpoint), Inside: s.address(inside, e.Endpoint),
		})
	}
	return lines
}

func (s *session) address(from addr.Addr, to addr.Endpoint) string {
	host, port := s.ports.Address(from, to)
	return net.JoinHostPort(host, fmt.Sprint(port))
}

func protocol(p envspec.Port) string {
	if p.Protocol == "" {
		return "tcp"
	}
	return p.Protocol
}
