package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/gateway"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

func (a *app) statusCommand() *cobra.Command {
	var every, watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the environment is",
		Long: `Show how each resource and each wire of the environment is, now: readiness checks are run once, machines and
gateways are asked. --all lists what envctl has on this engine, whatever spec it came from. --watch goes on and
shows it again whenever something changed, until Ctrl-C.`,
		Example: "  envctl status\n  envctl status --watch --json\n  envctl status --all",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case every && watch:
				return usagef("--all and --watch do not go together")
			case every:
				return a.statusAll()
			case watch:
				return a.watchStatus()
			}
			return a.status()
		},
	}
	a.specFlags(c)
	c.Flags().BoolVar(&every, "all", false, "list every environment on this engine")
	c.Flags().BoolVar(&watch, "watch", false, "go on and show what changes")
	return c
}

type statusOutput struct {
	Format      int               `json:"format"`
	Environment string            `json:"environment"`
	Instance    string            `json:"instance"`
	Engine      docker.EngineInfo `json:"engine"`
	Resources   []resourceStatus  `json:"resources"`
	Wires       []wireStatus      `json:"wires"`
}

type resourceStatus struct {
	Address addr.Addr       `json:"address"`
	State   providers.State `json:"state"`
	Detail  string          `json:"detail"`
}

type wireStatus struct {
	From    addr.Addr     `json:"from"`
	To      addr.Endpoint `json:"to"`
	Address string        `json:"address"`
	State   string        `json:"state"`
	Detail  string        `json:"detail,omitempty"`
}

func (a *app) status() error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	ctx := a.interrupts.stop
	if err := s.survey(ctx); err != nil {
		return err
	}
	return a.printStatus(a.Out, s.look(ctx).statusOutput)
}

// survey finds out what there is and what there should be.
func (s *session) survey(ctx context.Context) error {
	if err := s.observe(ctx); err != nil {
		return err
	}
	return s.evaluate(ctx)
}

func (a *app) printStatus(w io.Writer, out statusOutput) error {
	if a.json {
		return json.NewEncoder(w).Encode(out)
	}
	rows := [][]string{{"RESOURCE", "STATE", "DETAIL"}}
	for _, r := range out.Resources {
		rows = append(rows, []string{r.Address.String(), string(r.State), r.Detail})
	}
	if err := view.Table(w, rows, a.colorOut()); err != nil {
		return err
	}
	if len(out.Wires) == 0 {
		return printEngine(w, out.Engine)
	}
	fmt.Fprintln(w)
	rows = [][]string{{"WIRE", "TO", "ADDRESS", "STATE", "DETAIL"}}
	for _, w := range out.Wires {
		rows = append(rows, []string{w.From.String(), w.To.String(), w.Address, w.State, w.Detail})
	}
	if err := view.Table(w, rows, a.colorOut()); err != nil {
		return err
	}
	return printEngine(w, out.Engine)
}

func printEngine(w io.Writer, e docker.EngineInfo) error {
	_, err := fmt.Fprintf(w, "\nEngine: %s\n", e)
	return err
}

// patience is how long one question that status asks may take.
const patience = 5 * time.Second

// sight is how everything is, and by what that is known.
type sight struct {
	statusOutput
	is     map[addr.Addr]providers.Observed
	states map[addr.Addr]resourceStatus
	links  map[addr.Addr]gateway.Status // by machine
}

// look asks everything at once how it is.
func (s *session) look(ctx context.Context) sight {
	v := sight{
		statusOutput: statusOutput{Format: 1, Environment: s.instance.Environment, Instance: s.instance.ID, Engine: s.where, Wires: []wireStatus{}},
		is:           make(map[addr.Addr]providers.Observed, len(s.observed)),
		states:       make(map[addr.Addr]resourceStatus, len(s.nodes)), links: map[addr.Addr]gateway.Status{},
	}
	for _, o := range s.observed {
		v.is[o.Addr] = o
	}
	v.Resources = make([]resourceStatus, len(s.nodes))
	var mu sync.Mutex
	var g errgroup.Group
	for i, n := range s.nodes {
		g.Go(func() error {
			r := resourceStatus{Address: n.Addr}
			if m, ok := n.Body.(*envspec.Machine); ok {
				r.State, r.Detail = s.lookAtMachine(ctx, m, v.is)
			} else {
				r.State, r.Detail = s.lookAtNode(ctx, n, v.is)
			}
			if n.Addr.Kind == addr.Gateway {
				if link, err := s.gatewayStatus(ctx, v.is[n.Addr]); err == nil {
					if why := link.Ready(); why != nil && r.State != providers.Ready {
						r.Detail = firstLine(why.Error()) // it knows better than its check
					}
					mu.Lock()
					defer mu.Unlock()
					v.links[n.Addr.Sibling(addr.Windows)] = link
				}
			}
			v.Resources[i] = r
			return nil
		})
	}
	_ = g.Wait() // the questions report in the answer
	// The network is nobody's question.
	v.Resources = slices.DeleteFunc(v.Resources, func(r resourceStatus) bool {
		return r.Address.Kind == addr.Network && r.State == providers.Ready
	})
	for _, r := range v.Resources {
		v.states[r.Address] = r
	}
	for _, w := range s.standIns.Wires {
		if w.From != w.To.Addr {
			v.Wires = append(v.Wires, s.lookAtWire(w, v))
		}
	}
	return v
}

func (s *session) lookAtNode(ctx context.Context, n providers.Node, is map[addr.Addr]providers.Observed) (providers.State, string) {
	o, there := is[n.Addr]
	if !there {
		return providers.Missing, ""
	}
	if o.State != providers.Ready || n.Addr.Kind == addr.Network || n.Addr.Kind == addr.Job || n.Addr.Kind == addr.Forward {
		return o.State, o.Detail // of a forward: see seeForward
	}
	return s.check(ctx, providers.Change{Action: providers.None, Instance: s.instance, Node: n, Observed: &o})
}

// lookAtMachine asks a machine itself, unless what it runs on says enough.
func (s *session) lookAtMachine(ctx context.Context, m *envspec.Machine, is map[addr.Addr]providers.Observed) (providers.State, string) {
	if m.Sandbox {
		box, there := is[m.Addr.Sibling(addr.Sandbox)]
		if !there {
			return providers.Missing, ""
		}
		if box.State == providers.Stopped || box.State == providers.Failed {
			return providers.Unreachable, "its sandbox is " + string(box.State)
		}
	}
	m, err := s.withPassword(m)
	if err != nil {
		return providers.Unreachable, err.Error()
	}
	if m == nil {
		return providers.Unreachable, errNoPassword.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	seen, err := s.windows.Observe(ctx, s.instance, []*envspec.Machine{m})
	switch {
	case err != nil:
		return providers.Unreachable, err.Error()
	case len(seen) == 0 || seen[0].Manifest == nil && seen[0].State != providers.Unreachable && len(m.Layers) > 0:
		return providers.Missing, "not set up yet"
	case seen[0].State == providers.Unreachable:
		return seen[0].State, seen[0].Detail
	}
	if seen[0].State == providers.Failed {
		return seen[0].State, seen[0].Detail
	}
	return s.check(ctx, providers.Change{Action: providers.None, Instance: s.instance,
		Node: providers.Node{Addr: m.Addr, Body: m}, Observed: &seen[0]})
}

// check runs a readiness check for a moment.
func (s *session) check(ctx context.Context, c providers.Change) (providers.State, string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.engine.Providers[c.Node.Addr.Kind].WaitReady(ctx, c, func(event.Event) {})
	if err != nil {
		return providers.Starting, firstLine(err.Error())
	}
	return providers.Ready, ""
}

func (s *session) gatewayStatus(ctx context.Context, o providers.Observed) (gateway.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, errs bytes.Buffer
	code, err := s.docker.Exec(ctx, o, providers.ExecOptions{Command: gateway.StatusCommand(), Stdout: &out, Stderr: &errs})
	if err != nil {
		return gateway.Status{}, err
	}
	if code != 0 {
		return gateway.Status{}, fmt.Errorf("exit code %d: %s", code, errs.String())
	}
	return gateway.ParseStatus(out.Bytes())
}

// States of a wire.
const (
	wireUp         = "up"
	wireConnecting = "connecting"
	wireDown       = "down"
)

// lookAtWire says how a wire is: by its gateway where it has one, and else, between containers and from the
// host, by whether what it leads to runs.
func (s *session) lookAtWire(w envspec.Wire, v sight) wireStatus {
	host, port := s.ports.Address(w.From, w.To)
	out := wireStatus{From: w.From, To: w.To, Address: fmt.Sprintf("%s:%d", host, port), State: wireUp}
	if f := v.states[topology.ForwardAddr]; s.where.Remote && w.From.IsHost() && f.State != providers.Ready {
		out.State, out.Detail = wireDown, topology.ForwardAddr.String()+" is "+string(f.State)
		return out
	}
	for _, end := range []addr.Addr{w.To.Addr, w.From} {
		if end.Kind != addr.Windows {
			continue
		}
		link, ok := v.links[end]
		if !ok {
			out.State, out.Detail = wireDown, end.Sibling(addr.Gateway).String()+" does not answer"
			return out
		}
		out.State, out.Detail = wireOf(link, end == w.From, w.To)
		if out.State != wireUp {
			return out
		}
	}
	if t := v.states[w.To.Addr]; t.State != providers.Ready && t.State != providers.Starting {
		out.State, out.Detail = wireDown, w.To.Addr.String()+" is "+string(t.State)
	}
	return out
}

// wireOf finds a wire in a gateway's status: one out of the machine by its endpoint, one into it by its port.
func wireOf(link gateway.Status, out bool, to addr.Endpoint) (state, detail string) {
	if link.Link.State != gateway.Up {
		return wireConnecting, link.Link.Error
	}
	name := to.Port
	if out {
		name = to.String()
	}
	for _, w := range link.Wires {
		if w.Name == name {
			return string(w.State), w.Error
		}
	}
	return wireDown, "the gateway does not carry it; \"envctl up\" mends that"
}
