package view

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/addr"
)

// Graph is what exists and how it hangs together.
type Graph struct {
	// Nodes are the resources, in the order in which they are to be shown. The host is one where it has edges.
	Nodes []addr.Addr
	Edges []Edge // sorted by From and To, one for each pair
}

// Edge says that From needs To.
type Edge struct {
	From addr.Addr `json:"from"`
	To   addr.Addr `json:"to"`
	// Order is set where From starts after To is ready.
	Order bool `json:"order"`
	// Ports are the names of To's ports that From is wired to, sorted.
	Ports []string `json:"ports"`
}

// label says in words what an edge is.
func (e Edge) label() string {
	switch {
	case len(e.Ports) == 0:
		return "after"
	case !e.Order && !e.From.IsHost():
		return strings.Join(e.Ports, ", ") + " (unordered)"
	}
	return strings.Join(e.Ports, ", ")
}

// Tree writes a graph as text: below each resource what it needs. What stands in several places is
// unfolded at the first.
func (g Graph) Tree(w io.Writer, color bool) error {
	t := &tree{style: style{color}, b: bufio.NewWriter(w), needs: map[addr.Addr][]Edge{}, shown: map[addr.Addr]bool{}}
	needed := map[addr.Addr]bool{}
	for _, e := range g.Edges {
		t.needs[e.From] = append(t.needs[e.From], e)
		needed[e.To] = needed[e.To] || e.From != e.To
	}
	root := func(n addr.Addr) {
		fmt.Fprintln(t.b, t.paint(bold, n.String()))
		t.below(n, "")
	}
	for _, n := range g.Nodes {
		if !needed[n] {
			root(n)
		}
	}
	for _, n := range g.Nodes { // in a circle of unordered wires nobody is first
		if !t.shown[n] {
			root(n)
		}
	}
	return t.b.Flush()
}

type tree struct {
	style
	b     *bufio.Writer
	needs map[addr.Addr][]Edge
	shown map[addr.Addr]bool
}

func (t *tree) below(n addr.Addr, indent string) {
	t.shown[n] = true
	for i, e := range t.needs[n] {
		branch, more := "├─ ", "│  "
		if i == len(t.needs[n])-1 {
			branch, more = "└─ ", "   "
		}
		note := e.label()
		folded := t.shown[e.To] && len(t.needs[e.To]) > 0
		if folded {
			note += ", see above"
		}
		fmt.Fprintf(t.b, "%s%s  %s\n", t.paint(dim, indent+branch), e.To, t.paint(dim, note))
		if !folded {
			t.below(e.To, indent+more)
		}
	}
}

// DOT writes a graph in the language of Graphviz.
func (g Graph) DOT(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "digraph envctl {\n  rankdir = LR\n  node [shape = box]")
	for _, n := range g.Nodes {
		attrs := ""
		switch {
		case n.IsHost():
			attrs = " [shape = ellipse]"
		case n.Kind == addr.Windows:
			attrs = " [shape = component]"
		}
		fmt.Fprintf(b, "  %s%s\n", dotString(n.String()), attrs)
	}
	for _, e := range g.Edges {
		line := ""
		if len(e.Ports) == 0 {
			line = ", style = dashed"
		}
		fmt.Fprintf(b, "  %s -> %s [label = %s%s]\n", dotString(e.From.String()), dotString(e.To.String()), dotString(e.label()), line)
	}
	fmt.Fprintln(b, "}")
	return b.Flush()
}

func dotString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Mermaid writes a graph as a Mermaid flowchart, which Markdown on GitHub and GitLab draws.
func (g Graph) Mermaid(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "flowchart LR")
	id := func(a addr.Addr) int { return slices.Index(g.Nodes, a) }
	for _, n := range g.Nodes {
		open, end := "[", "]"
		switch {
		case n.IsHost():
			open, end = "([", "])"
		case n.Kind == addr.Windows:
			open, end = "[[", "]]"
		}
		fmt.Fprintf(b, "  n%d%s%s%s\n", id(n), open, mermaidString(n.String()), end)
	}
	for _, e := range g.Edges {
		arrow := "-->"
		if len(e.Ports) == 0 {
			arrow = "-.->"
		}
		fmt.Fprintf(b, "  n%d %s|%s| n%d\n", id(e.From), arrow, mermaidString(e.label()), id(e.To))
	}
	return b.Flush()
}

func mermaidString(s string) string {
	return `"` + strings.NewReplacer(`"`, "#quot;", "#", "#35;").Replace(s) + `"`
}
