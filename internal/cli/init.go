package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/templates"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [TEMPLATE] [DIR]",
		Short: "Write an environment that works as it is",
		Long: fmt.Sprintf(`Write a template's spec and all that it needs into a folder, in which "envctl up" then works. Without
DIR it is a folder of the template's name. No file that is there already is changed.

Templates: %s`, strings.Join(templates.List(), ", ")),
		Example: "  envctl init\n  envctl init quickstart ./trial",
		Args:    cobra.MaximumNArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return templates.List(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error {
			name := "quickstart"
			if len(args) > 0 {
				name = args[0]
			}
			dir := name
			if len(args) > 1 {
				dir = args[1]
			}
			return a.init(name, dir)
		},
	}
}

func (a *app) init(name, dir string) error {
	if err := templates.Write(name, a.abs(dir)); err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.Err, "Wrote the template %q to %s. Next:\n\n  cd %s\n  envctl up\n", name, dir, dir)
	}
	return nil
}

// abs resolves a path that a person wrote against the folder that the command was called in.
func (a *app) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.Dir, path)
}
