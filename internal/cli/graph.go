package cli

import (
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/view"
)

var graphFormats = []string{"text", "dot", "mermaid", "json"}

func (a *app) graphCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "graph",
		Short: "Show what needs what",
		Long: `Show what needs what, from the spec alone: which ports a resource is wired to, and what it only starts after. The
host's wires are those of the outputs.`,
		Example: "  envctl graph\n  envctl graph --format dot | dot -Tsvg > graph.svg",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json && !cmd.Flags().Changed("format") {
				format = "json"
			}
			return a.graph(format)
		},
	}
	a.specFlags(c)
	c.Flags().StringVar(&format, "format", "text", "text, dot (Graphviz), mermaid (Markdown) or json")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(graphFormats, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	return c
}

func (a *app) graph(format string) error {
	if !slices.Contains(graphFormats, format) {
		return usagef("--format %q is none of %s", format, join(graphFormats))
	}
	spec, diags, err := a.load()
	if err != nil {
		return err
	}
	if err := a.refuse(spec, diags); err != nil {
		return err
	}
	env, diags := spec.Evaluate(specimen{}, specimen{})
	if err := a.refuse(spec, diags); err != nil {
		return err
	}
	g := graphOf(env)
	switch format {
	case "dot":
		return g.DOT(a.Out)
	case "mermaid":
		return g.Mermaid(a.Out)
	case "json":
		return json.NewEncoder(a.Out).Encode(graphJSON(g))
	}
	return g.Tree(a.Out, a.colorOut())
}

// graphOf draws an environment: its resources, what each waits for, and what each is wired to.
func graphOf(env *envspec.Environment) view.Graph {
	var g view.Graph
	type pair struct{ from, to addr.Addr }
	edges := map[pair]*view.Edge{}
	edge := func(from, to addr.Addr) *view.Edge {
		p := pair{from, to}
		if edges[p] == nil {
			edges[p] = &view.Edge{From: from, To: to, Ports: []string{}}
		}
		return edges[p]
	}
	node := func(a addr.Addr, after []addr.Addr) {
		g.Nodes = append(g.Nodes, a)
		for _, to := range after {
			edge(a, to).Order = true
		}
	}
	for _, c := range env.Containers {
		node(c.Addr, c.After)
	}
	for _, m := range env.Machines {
		node(m.Addr, m.After)
	}
	for _, w := range env.Wires {
		e := edge(w.From, w.To.Addr)
		e.Ports = append(e.Ports, w.To.Port)
		if w.From.IsHost() && !slices.Contains(g.Nodes, addr.Host) {
			g.Nodes = append(g.Nodes, addr.Host)
		}
	}
	slices.SortFunc(g.Nodes, plan.Compare)
	for _, e := range edges {
		slices.Sort(e.Ports)
		g.Edges = append(g.Edges, *e)
	}
	slices.SortFunc(g.Edges, func(x, y view.Edge) int {
		if c := plan.Compare(x.From, y.From); c != 0 {
			return c
		}
		return plan.Compare(x.To, y.To)
	})
	return g
}

type graphOutput struct {
	Format int         `json:"format"`
	Nodes  []graphNode `json:"nodes"`
	Edges  []view.Edge `json:"edges"`
}

type graphNode struct {
	Address addr.Addr `json:"address"`
	Kind    string    `json:"kind"`
}

func graphJSON(g view.Graph) graphOutput {
	out := graphOutput{Format: view.Format, Nodes: []graphNode{}, Edges: append([]view.Edge{}, g.Edges...)}
	for _, n := range g.Nodes {
		kind := string(n.Kind)
		if n.IsHost() {
			kind = "host"
		}
		out.Nodes = append(out.Nodes, graphNode{n, kind})
	}
	return out
}
