package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/envctl/envctl/internal/near"
)

// flagError is a mistake in a command's flags, with the flag that was probably meant.
func flagError(c *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		given, _, _ := strings.Cut(cmp.Or(unknown.GetSpecifiedShortnames(), unknown.GetSpecifiedName()), "=")
		meant := near.Of(given, names)
		if slices.Contains(names, given) { // -watch
			meant = given
		}
		if meant != "" {
			err = fmt.Errorf("%w; did you mean --%s?", err, meant)
		}
	}
	return usageError{err, c.CommandPath()}
}

// noArgs takes no arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and was given %q", c.CommandPath(), args[0])
	}
	return nil
}

// noSuchCommand takes no arguments: a word is a command that there is not, with the one that was probably meant.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, append([]string{sub.Name()}, sub.Aliases...)...)
		}
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
	if meant := near.Of(args[0], names); meant != "" {
		err = fmt.Errorf("%w; did you mean \"%s %s\"?", err, c.CommandPath(), meant)
	}
	return err
}
