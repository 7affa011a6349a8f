package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/secret"
)

func (a *app) outputsCommand() *cobra.Command {
	var reveal bool
	c := &cobra.Command{
		Use:   "outputs [NAME]",
		Short: "Print the addresses and values that the spec gives out",
		Long:  `Print the outputs of the environment that is up. With NAME, print that one's value and nothing else.`,
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return a.outputs(args, reveal) },
	}
	c.ValidArgsFunction = a.completeOutputs()
	a.specFlags(c)
	c.Flags().BoolVar(&reveal, "reveal", false, "show sensitive values")
	return c
}

func (a *app) outputs(args []string, reveal bool) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	outputs, err := s.outputs(reveal)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		i := slices.IndexFunc(outputs, func(o *envspec.Output) bool { return o.Name == args[0] })
		if i < 0 {
			return fmt.Errorf("there is no output %q in %s", args[0], s.spec.Dir)
		}
		outputs = outputs[i : i+1]
		if !a.json {
			return printValue(a, outputs[0], reveal)
		}
	}
	return printOutputs(a, outputs, reveal)
}

// outputs evaluates the outputs of the environment that is up; with stand-ins for secrets unless they are to be
// revealed.
func (s *session) outputs(reveal bool) ([]*envspec.Output, error) {
	ctx := s.interrupts.stop
	if err := s.observe(ctx); err != nil {
		return nil, err
	}
	if len(s.observed) == 0 {
		return nil, errNothingThere
	}
	credentials := s.secrets.StandIns(ctx)
	if reveal {
		credentials = existing{ctx, s.secrets}
	}
	env, diags := s.spec.Evaluate(s.ports, credentials)
	if err := s.refuse(s.spec, diags); err != nil {
		return nil, err
	}
	return env.Outputs, nil
}

func printValue(a *app, o *envspec.Output, reveal bool) error {
	if o.Value.Sensitive && !reveal {
		return fmt.Errorf("the output %q is sensitive; --reveal shows it", o.Name)
	}
	_, err := fmt.Fprintln(a.Out, o.Value.Reveal())
	return err
}

func printOutputs(a *app, outputs []*envspec.Output, reveal bool) error {
	if a.json {
		return json.NewEncoder(a.Out).Encode(outputsJSON(outputs, reveal))
	}
	width := 0
	for _, o := range outputs {
		width = max(width, len(o.Name))
	}
	for _, o := range outputs {
		shown := o.Value.String()
		if reveal {
			shown = o.Value.Reveal()
		} else if o.Value.Sensitive {
			shown = secret.Mask
		}
		if _, err := fmt.Fprintf(a.Out, "%-*s  %s\n", width, o.Name, shown); err != nil {
			return err
		}
	}
	return nil
}

type outputsOutput struct {
	Format  int                    `json:"format"`
	Outputs map[string]outputValue `json:"outputs"`
}

type outputValue struct {
	Value     any  `json:"value"`
	Sensitive bool `json:"sensitive"`
}

func outputsJSON(outputs []*envspec.Output, reveal bool) outputsOutput {
	out := outputsOutput{Format: 1, Outputs: map[string]outputValue{}}
	for _, o := range outputs {
		v := outputValue{Sensitive: o.Value.Sensitive}
		switch {
		case o.Value.Sensitive && !reveal:
		case o.JSON:
			v.Value = json.RawMessage(o.Value.Reveal())
		default:
			v.Value = o.Value.Reveal()
		}
		out.Outputs[o.Name] = v
	}
	return out
}

// existing gives credentials the values that they have; it makes none.
type existing struct {
	ctx     context.Context // of the command: envspec asks without one
	secrets *credential.Planner
}

func (e existing) Credential(name string) (envspec.CredentialValue, error) {
	v, there, err := e.secrets.Existing(e.ctx, name)
	if err == nil && !there {
		err = fmt.Errorf("credential %s has no value yet; \"envctl up\" makes it", name)
	}
	return v, err
}
