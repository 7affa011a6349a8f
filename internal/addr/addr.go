// Package addr holds the addresses of an environment's resources and ports: the
// names by which a spec, a plan, an event and a label all mean the same thing.
// It knows nothing of what a resource is or how one is made.
package addr

import (
	"fmt"
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// Kind is the first word of an address.
type Kind string

// The kinds of resource, and Volume, which names what several containers mount. Sandbox, Relay and Gateway never stand in a spec: a windows
// block expands into them. Nor does Forward, which is there where the engine is elsewhere.
const (
	Network   Kind = "network"
	Container Kind = "container"
	Job       Kind = "job"
	Sandbox   Kind = "sandbox"
	Relay     Kind = "relay"
	Gateway   Kind = "gateway"
	Forward   Kind = "forward"
	Windows   Kind = "windows"
	Volume    Kind = "volume"
)

// Addr names one resource of an environment. The zero Addr is the host: the
// computer that runs envctl, and the vantage of whoever sits at it.
type Addr struct {
	// Template is the path of the templates around the resource, outermost
	// first, joined with dots ("practice.billing"); empty at the root.
	Template string
	Kind     Kind
	Name     string
	// Key is the for_each key; empty for a resource without for_each.
	Key string
}

// Host is the zero Addr.
var Host Addr

// IsHost reports whether a is the host rather than a resource.
func (a Addr) IsHost() bool { return a == Host }

// Sibling gives the address of the same name under another kind, as in the
// gateway of a machine.
func (a Addr) Sibling(k Kind) Addr { a.Kind = k; return a }

// String gives the form that a spec uses, template.x.container.node["a"], or
// "host".
func (a Addr) String() string {
	if a.IsHost() {
		return "host"
	}
	var b strings.Builder
	for t := range strings.SplitSeq(a.Template, ".") {
		if t != "" {
			b.WriteString("template." + t + ".")
		}
	}
	b.WriteString(string(a.Kind) + "." + a.Name)
	if a.Key != "" {
		fmt.Fprintf(&b, "[%q]", a.Key)
	}
	return b.String()
}

// MarshalText gives String, so that an Addr can be a JSON key or value.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Addr) UnmarshalText(text []byte) (err error) {
	*a, err = Parse(string(text))
	return err
}

var syntax = lazyregexp.New(`^((?:template\.[\w-]+\.)*)(network|container|job|sandbox|relay|gateway|forward|windows|volume)\.([\w-]+)(?:\[("(?:[^"\\]|\\.)*")\])?$`)

// Parse reads the form that String gives.
func Parse(s string) (Addr, error) {
	if s == "host" {
		return Host, nil
	}
	m := syntax.FindStringSubmatch(s)
	if m == nil {
		return Addr{}, fmt.Errorf("%q is not an address such as container.db or windows.pas", s)
	}
	a := Addr{Kind: Kind(m[2]), Name: m[3]}
	a.Template = strings.TrimSuffix(strings.ReplaceAll("."+m[1], ".template.", "."), ".")
	a.Template = strings.TrimPrefix(a.Template, ".")
	if m[4] != "" {
		if _, err := fmt.Sscanf(m[4], "%q", &a.Key); err != nil {
			return Addr{}, fmt.Errorf("the key in %q: %w", s, err)
		}
	}
	return a, nil
}

// DNS gives the name by which other resources reach a: lower case, dashes for
// all that a DNS label cannot hold. container.node["a"] is node-a. A gateway has the
// name of its machine, since whoever dials the machine dials the gateway; what a
// machine really runs on has a name of its own, pas-sandbox.
func (a Addr) DNS() string {
	parts := []string{a.Name}
	if a.Template != "" {
		parts = append(strings.Split(a.Template, "."), a.Name)
	}
	if a.Key != "" {
		parts = append(parts, a.Key)
	}
	if a.Kind == Sandbox || a.Kind == Relay || a.Kind == Forward {
		parts = append(parts, string(a.Kind))
	}
	return label(strings.Join(parts, "-"))
}

// label puts one dash in the place of all that a DNS label cannot hold, and none at the ends.
func label(text string) string {
	text = strings.ToLower(text)
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			out = append(out, c)
		case len(out) > 0 && out[len(out)-1] != '-':
			out = append(out, '-')
		}
	}
	return strings.TrimSuffix(string(out), "-")
}

// Endpoint is one named port of a container or a Windows machine.
type Endpoint struct {
	Addr Addr
	Port string
}

// String gives the form that a spec uses, windows.pas.port.api.
func (e Endpoint) String() string { return e.Addr.String() + ".port." + e.Port }

// MarshalText gives String.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (e *Endpoint) UnmarshalText(text []byte) error {
	s := string(text)
	i := strings.LastIndex(s, ".port.")
	if i < 0 {
		return fmt.Errorf("%q is not a port's address such as windows.pas.port.api", s)
	}
	e.Port = s[i+len(".port."):]
	return e.Addr.UnmarshalText([]byte(s[:i]))
}
