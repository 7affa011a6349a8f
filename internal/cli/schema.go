package cli

import (
	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the language as a JSON Schema, for editors and other tools",
		Long: `Print the spec's language as a JSON Schema (draft 2020-12): blocks are objects by name and label, arguments are
properties, each with its sentence from the reference. It needs no spec and no engine.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := envspec.JSONSchema()
			if err != nil {
				return err
			}
			_, err = a.Out.Write(text)
			return err
		},
	}
}
