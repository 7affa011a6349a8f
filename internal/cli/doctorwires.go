package cli

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/gateway"
	"github.com/envctl/envctl/internal/probe"
	"github.com/envctl/envctl/internal/view"
)

// hop is the place where a wire is broken, in words, and what to do there. The zero hop is none.
type hop struct{ what, hint string }

// examineWires tries each wire that a container or a machine uses, from its own side: all wires of one consumer
// at once, and all consumers at once.
func (x *examination) examineWires(ctx context.Context) []view.Check {
	type consumer struct {
		targets []probe.Target
		results []probe.Result
		err     error
	}
	consumers := map[addr.Addr]*consumer{}
	at := make([]int, len(x.Wires)) // which of its consumer's targets a wire is
	for i, w := range x.Wires {
		if !x.tried(w) {
			continue
		}
		from := runner(w.From)
		c := consumers[from]
		if c == nil {
			c = &consumer{}
			consumers[from] = c
		}
		at[i] = len(c.targets)
		c.targets = append(c.targets, probe.Target{
			Address: x.address(addr.Addr{Kind: addr.Container}, w.To), Hold: holdOf(w.To.Addr, 0),
		})
	}
	var node blob.Blob
	var err error
	if len(consumers) > 0 {
		node, err = x.node(ctx)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for from, c := range consumers {
		if c.err = err; err != nil {
			continue
		}
		g.Go(func() error {
			c.results, c.err = x.docker.Probe(ctx, x.is[from], node, c.targets)
			return nil
		})
	}
	_ = g.Wait() // each has its own error

	var checks []view.Check
	for i, w := range x.Wires {
		if w.From.IsHost() || w.From.Kind == addr.Job {
			continue // the ports of this computer are checks of their own; a job has had what it needed
		}
		subject := w.From.String() + " -> " + w.To.String()
		h := x.knownBroken(w)
		c := consumers[runner(w.From)]
		switch {
		case h != hop{}:
		case !x.tried(w):
			checks = append(checks, sound(checkWire, subject, "%s, udp: what it leads to runs; no connection can be tried", w.Address))
			continue
		case c.err != nil:
			h = hop{"it could not be tried: " + firstLine(c.err.Error()), "run this again"}
		default:
			h = x.hopOf(w, c.results[at[i]])
		}
		if (h == hop{}) {
			checks = append(checks, sound(checkWire, subject, "%s", w.Address))
		} else {
			checks = append(checks, broken(checkWire, subject, h.hint, "%s: %s", w.Address, h.what))
		}
	}
	return checks
}

// tried reports whether there is a place to connect from, and something to connect to.
func (x *examination) tried(w wireStatus) bool {
	if w.From.IsHost() || w.From.Kind == addr.Job || (x.knownBroken(w) != hop{}) {
		return false
	}
	for _, e := range x.spec.Endpoints() {
		if e.Endpoint == w.To {
			return protocol(e.Port) == "tcp"
		}
	}
	return false
}

// knownBroken finds the first hop of a wire that is broken by what engine and gateways say.
func (x *examination) knownBroken(w wireStatus) hop {
	if h := x.brokenEnd(w.From, true, w.To); (h != hop{}) {
		return h
	}
	return x.brokenEnd(w.To.Addr, false, w.To)
}

// brokenEnd finds what is broken at one end of a wire to an endpoint: the end that it starts from, or the other.
func (x *examination) brokenEnd(end addr.Addr, start bool, to addr.Endpoint) hop {
	at := runner(end)
	if !x.runs(end) {
		return hop{at.String() + " does not run (" + stateText(x.states[at]) + ")", `"envctl up" starts it`}
	}
	if !x.running[x.is[at].Handle] {
		return hop{at.String() + " is not on the environment's network",
			fmt.Sprintf("\"docker rm -f %.12s\" and then \"envctl up\" makes it anew", x.is[at].Handle)}
	}
	if end.Kind != addr.Windows {
		return hop{}
	}
	link, ok := x.links[end]
	switch {
	case !ok:
		return hop{at.String() + " does not answer", fmt.Sprintf("\"envctl restart %s\"", end)}
	case link.Link.State != gateway.Up:
		return hop{strings.TrimSuffix(fmt.Sprintf("%s has no link to %s: %s", at, end, firstLine(link.Link.Error)), ": "), hintAway(end)}
	}
	if state, detail := wireOf(link, start, to); state != wireUp {
		return hop{strings.TrimSuffix("the gateway's end of it is "+state+": "+firstLine(detail), ": "), `"envctl up" puts it right`}
	}
	return hop{}
}

// hintAway is what to do about a machine that cannot be reached.
func hintAway(machine addr.Addr) string {
	return fmt.Sprintf("see that %s runs and that WinRM answers there; \"envctl logs %s\" shows each attempt", machine, runner(machine))
}

// hopOf says where a connection broke that should have opened.
func (x *examination) hopOf(w wireStatus, r probe.Result) hop {
	switch r.Reach {
	case probe.Open:
		return hop{}
	case probe.NoName:
		return hop{fmt.Sprintf("the name %s does not resolve in %s: %s", w.To.Addr.DNS(), runner(w.From), r.Error),
			fmt.Sprintf("\"envctl restart %s\"; a dns setting of %s may be in the way", w.To.Addr, runner(w.From))}
	case probe.Refused, probe.Closed:
		return x.nothingListens(w.To)
	}
	return hop{fmt.Sprintf("no answer from %s: %s", runner(w.To.Addr), r.Error),
		fmt.Sprintf("look for a firewall in %s, or for a process that hangs: \"envctl logs %s\"", w.To.Addr, runner(w.To.Addr))}
}

// nothingListens is the last hop: what should answer at an endpoint does not.
func (x *examination) nothingListens(e addr.Endpoint) hop {
	port := 0
	for _, d := range x.spec.Endpoints() {
		if d.Endpoint == e {
			port = d.Port.Guest
		}
	}
	if e.Addr.Kind == addr.Windows {
		return hop{fmt.Sprintf("nothing listens at port %d inside %s", port, e.Addr),
			fmt.Sprintf("start the service that should: \"envctl exec %s -- sc query\" lists them", e.Addr)}
	}
	return hop{fmt.Sprintf("nothing listens at port %d in %s", port, e.Addr),
		fmt.Sprintf("\"envctl logs %s\" shows what it said, \"envctl restart %[1]s\" starts it again", e.Addr)}
}

// node gives the program that connects, for the engine's processor.
func (x *examination) node(ctx context.Context) (blob.Blob, error) {
	h, err := x.world.helpers(ctx)
	return h.Node, err
}
