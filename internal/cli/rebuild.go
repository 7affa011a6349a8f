package cli

import (
	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// rebuildFlag is for the commands that plan.
func (a *app) rebuildFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.rebuild, "rebuild", false, "build the images of the spec again, without what the engine remembers of the last time")
}

// buildAgain asks for new images of the containers and jobs that the spec builds; envctl's own are not among them.
func buildAgain(nodes []providers.Node) {
	for i, n := range nodes {
		c, ok := n.Body.(*envspec.Container)
		if ok && c.Build != nil && (n.Addr.Kind == addr.Container || n.Addr.Kind == addr.Job) {
			nodes[i].Anew = "a rebuild was asked for"
		}
	}
}
