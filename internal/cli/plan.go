package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
)

func (a *app) planCommand() *cobra.Command {
	var opts planOptions
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what up would do, and why",
		Long: `Show what "envctl up" would do and why, without doing any of it. A Windows machine that envctl has not set up
yet is not touched.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.showPlan(opts) },
	}
	a.specFlags(c)
	a.frozenFlag(c)
	a.rebuildFlag(c)
	c.Flags().StringVar(&opts.out, "out", "", "write the plan to a `file` too, for \"envctl up FILE\"")
	c.Flags().BoolVar(&opts.detailed, "detailed-exitcode", false, "exit with 2 where there is something to do")
	return c
}

type planOptions struct {
	detailed bool
	out      string
}

func (a *app) showPlan(opts planOptions) error {
	if opts.out != "" { // told before the engine is asked for everything
		if err := canWrite(a.abs(opts.out)); err != nil {
			return err
		}
	}
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.makePlan(a.interrupts.stop); err != nil {
		return err
	}
	if a.json {
		err = json.NewEncoder(a.Out).Encode(planJSON(s.plan))
	} else {
		err = view.Plan(a.Out, s.plan, a.colorOut())
	}
	if err == nil && opts.out != "" {
		err = s.writePlan(opts.out)
	}
	if err == nil && opts.detailed && s.plan.Changes() > 0 {
		return exit(ExitChanges)
	}
	return err
}

func (s *session) writePlan(path string) error {
	f, err := s.planFile(s.interrupts.stop)
	if err != nil {
		return err
	}
	if err := f.write(s.abs(path)); err != nil {
		return err
	}
	s.say("Wrote the plan to %s; \"envctl up %s\" does exactly this, or nothing.", path, path)
	return nil
}

type planOutput struct {
	Format  int          `json:"format"`
	Changes []planChange `json:"changes"`
}

type planChange struct {
	Address addr.Addr        `json:"address"`
	Action  providers.Action `json:"action"`
	Cause   string           `json:"cause"`
	Values  []plan.Value     `json:"values,omitempty"`
	Layers  []planLayer      `json:"layers,omitempty"`
}

type planLayer struct {
	Name   string           `json:"name"`
	Action plan.LayerAction `json:"action"`
	Cause  string           `json:"cause"`
	Values []plan.Value     `json:"values,omitempty"`
}

func planJSON(p *plan.Plan) planOutput {
	out := planOutput{Format: 1, Changes: []planChange{}}
	for _, op := range p.Operations {
		c := planChange{Address: op.Addr, Action: op.Action, Cause: op.Cause, Values: op.Values}
		for _, l := range op.Layers {
			c.Layers = append(c.Layers, planLayer(l))
		}
		out.Changes = append(out.Changes, c)
	}
	return out
}
