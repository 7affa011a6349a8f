package cli

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/probe"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
)

// How long a connection has to last that something other than its target accepts: the engine knows at once
// whether a container listens; Windows takes two seconds to refuse.
const (
	holdOfContainer = time.Second
	holdOfMachine   = 3 * time.Second
)

// examination is what is known of what is up, before the wires are tried.
type examination struct {
	*session
	sight
	running map[string]bool // by handle; false where it is not on the network
}

// examine looks at what is up, resource by resource, and tries the ways between.
func (s *session) examine(ctx context.Context) []view.Check {
	environment := "environment " + s.instance.Environment
	if len(s.observed) == 0 {
		return []view.Check{sound(checkResource, environment, "nothing of it is up yet; \"envctl up\" makes it")}
	}
	running, err := s.docker.Running(ctx, s.instance)
	if err != nil {
		return []view.Check{broken(checkResource, environment, "run this again", "%v", err)}
	}
	x := examination{session: s, sight: s.look(ctx), running: running}
	var checks []view.Check
	for _, r := range x.Resources {
		checks = append(checks, examineResource(r))
	}
	var ports, wires []view.Check
	var wg sync.WaitGroup
	wg.Go(func() { ports = x.examinePorts(ctx) })
	wg.Go(func() { wires = x.examineWires(ctx) })
	wg.Wait()
	return append(append(checks, ports...), wires...)
}

func examineResource(r resourceStatus) view.Check {
	subject := r.Address.String()
	if r.State == providers.Ready {
		detail := "ready"
		if r.Detail != "" {
			detail = r.Detail
		}
		return sound(checkResource, subject, "%s", detail)
	}
	hint := `"envctl up" puts it right`
	switch {
	case r.State == providers.Missing:
	case r.State == providers.Unreachable:
		hint = hintAway(r.Address)
	case r.Address.Kind == addr.Windows:
	case r.State == providers.Failed || r.State == providers.Starting:
		hint = `"envctl logs ` + subject + `" shows what it said`
	case r.State == providers.Stopped:
		hint = `"envctl start ` + subject + `" starts it`
	}
	return broken(checkResource, subject, hint, "%s", stateText(r))
}

func stateText(r resourceStatus) string {
	if r.Detail == "" {
		return string(r.State)
	}
	return string(r.State) + ": " + r.Detail
}

// runner is the container that a resource is reached at: a machine's is its gateway.
func runner(a addr.Addr) addr.Addr {
	if a.Kind == addr.Windows {
		return a.Sibling(addr.Gateway)
	}
	return a
}

func (x *examination) runs(a addr.Addr) bool {
	_, ok := x.running[x.is[runner(a)].Handle]
	return ok
}

// examinePorts connects to each port that what runs has on this computer.
func (x *examination) examinePorts(ctx context.Context) []view.Check {
	var to []addr.Endpoint
	var targets []probe.Target
	for _, e := range x.spec.Endpoints() {
		if protocol(e.Port) != "tcp" || !x.runs(e.Endpoint.Addr) {
			continue
		}
		to = append(to, e.Endpoint)
		targets = append(targets, probe.Target{Address: x.address(addr.Host, e.Endpoint), Hold: holdOf(e.Endpoint.Addr, holdOfContainer)})
	}
	carried := x.brokenForward()
	var checks []view.Check
	for i, r := range probe.All(ctx, targets) {
		subject, address := to[i].String(), targets[i].Address
		h := x.brokenEnd(to[i].Addr, false, to[i])
		switch {
		case carried != hop{}: // whatever answers here is something else
			h = carried
		case r.Reach == probe.Open:
			checks = append(checks, sound(checkPort, subject, "%s", address))
			continue
		case h != hop{}:
		case r.Reach == probe.Closed:
			h = x.nothingListens(to[i])
		case x.where.Remote:
			h = hop{"nothing listens on this computer that would carry it to the engine: " + r.Error, `"envctl up" carries it again`}
		default:
			h = hop{"the engine does not offer it on this computer: " + r.Error,
				"\"envctl restart " + runner(to[i].Addr).String() + "\" publishes it again; if the engine is on another computer, ENVCTL_ENGINE=remote says so"}
		}
		checks = append(checks, broken(checkPort, subject, h.hint, "%s: %s", address, h.what))
	}
	return checks
}

// brokenForward says what is wrong on the way to an engine on another computer; the zero hop is nothing.
func (x *examination) brokenForward() hop {
	f := x.states[topology.ForwardAddr]
	switch {
	case !x.where.Remote || f.State == providers.Ready:
		return hop{}
	case f.State == providers.Starting:
		return hop{"it is not carried from the engine's computer, " + stateText(f), "see that " + x.where.Host + " is reached from here; it comes back by itself"}
	}
	return hop{"it is not carried from the engine's computer: " + stateText(f), `"envctl up" carries it again`}
}

func holdOf(a addr.Addr, container time.Duration) time.Duration {
	if a.Kind == addr.Windows {
		return holdOfMachine
	}
	return container
}

// firstLine is the first line of a text from elsewhere.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
