// Package wire decides by which address an endpoint is reached, which depends on who asks: a process on the
// host, a container, or a process inside a Windows machine. It assigns the host ports and the ports inside
// Windows that this takes, all of them before anything is made, and does no I/O: what is taken on the host
// it is told by a probe. Carrying the bytes is the gateway's work.
package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
)

// First and Last are the host ports that are assigned where a spec pins none: outside every ephemeral range.
const (
	First = 20000
	Last  = 29999
)

// Taken reports whether a port of 127.0.0.1 is in use, and by whom, as words for a person.
type Taken func(port int) (holder string, taken bool)

// Input is all that an assignment depends on.
type Input struct {
	Environment, Instance string

	Endpoints []envspec.EndpointDecl
	Machines  []addr.Addr // the Windows machines
	// ExtraHost are ports that need a host port and no spec declares (a sandbox's "https").
	ExtraHost []addr.Endpoint

	// RecordedHost are the host ports that this instance holds now, as labels say.
	RecordedHost map[addr.Endpoint]int
	// RecordedGuest are, by machine, the ports inside it at which its gateway offers the others' endpoints now.
	RecordedGuest map[addr.Addr]map[addr.Endpoint]int
	// PinnedGuest are those that have to be at a certain number.
	PinnedGuest map[addr.Addr]map[addr.Endpoint]int

	Taken Taken // nil: nothing is taken
}

// Assignment has every port of an instance. It implements envspec.Addresses.
type Assignment struct {
	guest map[addr.Endpoint]int // the number that the process itself listens on
	host  map[addr.Endpoint]int
	in    map[addr.Addr]map[addr.Endpoint]int
}

var _ envspec.Addresses = (*Assignment)(nil)

// Problem is one endpoint that cannot have the port it needs.
type Problem struct {
	Endpoint addr.Endpoint
	Port     int
	// Holder says who has the port, where someone has.
	Holder string
	Reason string // the whole sentence, with what to do next
}

// Error gives the reason.
func (p Problem) Error() string { return p.Endpoint.String() + ": " + p.Reason }

// Problems are all that is wrong with an assignment, sorted by endpoint. It is the error that Assign returns.
type Problems []Problem

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Assign gives every endpoint its ports. The same input gets the same ports. The error, if there is one, is
// a Problems.
func Assign(in Input) (*Assignment, error) {
	if in.Taken == nil {
		in.Taken = func(int) (string, bool) { return "", false }
	}
	a := &Assignment{guest: map[addr.Endpoint]int{}, in: map[addr.Addr]map[addr.Endpoint]int{}}
	in.Endpoints = slices.SortedFunc(slices.Values(in.Endpoints), func(x, y envspec.EndpointDecl) int {
		return compare(x.Endpoint, y.Endpoint)
	})
	for _, e := range in.Endpoints {
		a.guest[e.Endpoint] = e.Port.Guest
	}
	var problems Problems
	a.host, problems = assignHost(in)
	for _, m := range in.Machines {
		var more Problems
		a.in[m], more = assignGuest(in, m)
		problems = append(problems, more...)
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(x, y Problem) int { return compare(x.Endpoint, y.Endpoint) })
		return nil, problems
	}
	return a, nil
}

// Address gives where to is reached by whoever stands at from.
func (a *Assignment) Address(from addr.Addr, to addr.Endpoint) (host string, port int) {
	switch from.Kind {
	case "":
		return "127.0.0.1", a.host[to]
	case addr.Windows:
		return "127.0.0.1", a.in[from][to]
	default:
		return to.Addr.DNS(), a.guest[to] // a machine's name is its gateway's alias
	}
}

// HostPort gives the port of 127.0.0.1 on the host that leads to an endpoint; 0 for one that is not known.
func (a *Assignment) HostPort(e addr.Endpoint) int { return a.host[e] }

// GuestPort gives the port of 127.0.0.1 inside a Windows machine that leads to an endpoint.
func (a *Assignment) GuestPort(machine addr.Addr, e addr.Endpoint) int { return a.in[machine][e] }

// compare orders by address. It builds no strings: there may be ten thousand endpoints.
func compare(x, y addr.Endpoint) int {
	return cmp.Or(
		strings.Compare(x.Addr.Template, y.Addr.Template),
		strings.Compare(string(x.Addr.Kind), string(y.Addr.Kind)),
		strings.Compare(x.Addr.Name, y.Addr.Name),
		strings.Compare(x.Addr.Key, y.Addr.Key),
		strings.Compare(x.Port, y.Port),
	)
}

func assignHost(in Input) (map[addr.Endpoint]int, Problems) {
	type socket struct {
		port int
		udp  bool
	}
	host := map[addr.Endpoint]int{}
	by := map[socket]addr.Endpoint{}
	used := map[int]bool{}
	ours := map[int]bool{} // held by this instance, for one endpoint or another: taken, and not by someone else
	for _, port := range in.RecordedHost {
		ours[port] = true
	}
	var problems Problems
	give := func(e addr.Endpoint, port int) { host[e], used[port] = port, true }

	for _, e := range in.Endpoints {
		if e.Port.Host == 0 {
			continue
		}
		p := Problem{Endpoint: e.Endpoint, Port: e.Port.Host}
		s := socket{e.Port.Host, e.Port.Protocol == "udp"}
		if other, ok := by[s]; ok {
			p.Holder = other.String()
			p.Reason = fmt.Sprintf("host port %d is pinned by %s too; give one of them another", p.Port, other)
			problems = append(problems, p)
			continue
		}
		by[s] = e.Endpoint
		give(e.Endpoint, p.Port)
		if holder, taken := in.Taken(p.Port); taken && !ours[p.Port] {
			p.Holder = holder
			p.Reason = fmt.Sprintf("host port %d is taken by %s; stop that, pin another, or leave host out to have one assigned",
				p.Port, cmp.Or(holder, "another process"))
			problems = append(problems, p)
		}
	}

	var rest []addr.Endpoint
	for _, e := range in.Endpoints {
		rest = append(rest, e.Endpoint)
	}
	rest = append(rest, slices.SortedFunc(slices.Values(in.ExtraHost), compare)...)
	for _, e := range rest {
		if port := in.RecordedHost[e]; host[e] == 0 && port != 0 && !used[port] {
			give(e, port)
		}
	}
	for _, e := range rest {
		if host[e] != 0 {
			continue
		}
		port, ok := sticky(in, e, func(port int) bool {
			if used[port] || ours[port] {
				return false
			}
			_, taken := in.Taken(port)
			return !taken
		})
		if !ok {
			problems = append(problems, Problem{Endpoint: e, Reason: fmt.Sprintf(
				"every host port from %d to %d is taken; take environments down that are not needed (envctl status --all)", First, Last)})
			continue
		}
		give(e, port)
	}
	return host, problems
}

// sticky starts at a port that depends on nothing but names, so that an environment gets the same ones each
// time it comes up and its neighbours others.
func sticky(in Input, e addr.Endpoint, free func(int) bool) (int, bool) {
	sum := sha256.Sum256([]byte(in.Environment + "\x00" + in.Instance + "\x00" + e.String()))
	const n = Last - First + 1
	start := int(binary.BigEndian.Uint64(sum[:8]) % n)
	for i := range n {
		if port := First + (start+i)%n; free(port) {
			return port, true
		}
	}
	return 0, false
}

// Windows' own services listen on these, whatever the spec declares: RPC, SMB, RDP, WinRM.
var reserved = []int{135, 445, 3389, 5985, 5986, 47001}

func assignGuest(in Input, machine addr.Addr) (map[addr.Endpoint]int, Problems) {
	ports := map[addr.Endpoint]int{}
	used := map[int]addr.Endpoint{}
	for _, port := range reserved {
		used[port] = addr.Endpoint{}
	}
	give := func(e addr.Endpoint, port int) { ports[e], used[port] = port, e }
	free := func(port int) bool { _, ok := used[port]; return !ok }

	// Over all endpoints, wired or not: or the first use of one would move what is in use already.
	var others []envspec.EndpointDecl
	for _, e := range in.Endpoints {
		if e.Endpoint.Addr == machine {
			give(e.Endpoint, e.Port.Guest)
		} else {
			others = append(others, e)
		}
	}
	var problems Problems
	for _, e := range others {
		port := in.PinnedGuest[machine][e.Endpoint]
		if port == 0 {
			continue
		}
		if !free(port) {
			holder := "Windows itself"
			if used[port] != (addr.Endpoint{}) {
				holder = used[port].String()
			}
			problems = append(problems, Problem{Endpoint: e.Endpoint, Port: port, Holder: holder,
				Reason: fmt.Sprintf("port %d inside %s is taken by %s; pin another", port, machine, holder)})
			continue
		}
		give(e.Endpoint, port)
	}
	for _, e := range others {
		if port := in.RecordedGuest[machine][e.Endpoint]; ports[e.Endpoint] == 0 && port != 0 && free(port) {
			give(e.Endpoint, port)
		}
	}
	next := map[int]int{}
	for _, e := range others {
		if ports[e.Endpoint] != 0 {
			continue
		}
		// The endpoint's own number, or the next that is free upwards; past the top, from 1024 on. Many have
		// the same number, so each goes on from where the last one ended.
		port := cmp.Or(next[e.Port.Guest], e.Port.Guest)
		for tries := 0; !free(port) && tries < 1<<16; tries++ {
			if port++; port > 65535 {
				port = 1024
			}
		}
		next[e.Port.Guest] = port
		give(e.Endpoint, port)
	}
	return ports, problems
}
