package cli

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
)

func (a *app) validateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check the spec, without touching anything",
		Long: `Check the spec: every mistake in it is shown at once, with the line it is on. Nothing is asked of the
engine or of a machine. The exit code is 1 where there is an error; warnings leave it at 0.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.validate() },
	}
	a.specFlags(c)
	return c
}

func (a *app) validate() error {
	spec, diags, err := a.load()
	if err != nil {
		return err
	}
	if a.json {
		if err := envspec.DiagnosticsJSON(a.Out, diags); err != nil {
			return err
		}
	} else if err := a.showDiagnostics(spec, diags); err != nil {
		return err
	}
	if diags.HasErrors() {
		return exit(ExitFailed)
	}
	if !a.json && !a.quiet {
		fmt.Fprintf(a.Out, "The spec in %s is valid.\n", spec.Dir)
	}
	return nil
}

// showDiagnostics writes what is wrong with a spec for a person, to where progress goes.
func (a *app) showDiagnostics(spec *envspec.Spec, diags hcl.Diagnostics) error {
	if len(diags) == 0 {
		return nil
	}
	return envspec.WriteDiagnostics(a.Err, spec.Sources(), diags, a.width(), a.color())
}
