package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/internal/view"
)

func (a *app) envCommand() *cobra.Command {
	var format string
	var reveal bool
	c := &cobra.Command{
		Use:   "env",
		Short: "Print the outputs as environment variables",
		Long: `Print the outputs of the environment that is up as environment variables, for a shell to take up: the output
booking-url is BOOKING_URL. Sensitive ones are left out without --reveal.`,
		Example: `  eval "$(envctl env)"
  envctl env --format dotenv --reveal > .env
  envctl env --format powershell | Invoke-Expression`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			write, ok := envFormats[format]
			if !ok {
				return usagef("--format %q is none of shell, dotenv, fish, powershell", format)
			}
			return a.env(write, reveal)
		},
	}
	a.specFlags(c)
	c.Flags().StringVar(&format, "format", "shell", "shell, dotenv, fish or powershell")
	c.Flags().BoolVar(&reveal, "reveal", false, "print sensitive values too")
	formats := slices.Sorted(maps.Keys(envFormats))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	return c
}

// envFormats write one variable, so that what reads it gets the value whatever is in it.
var envFormats = map[string]func(name, value string) string{
	"shell": func(name, value string) string {
		return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	},
	"fish": func(name, value string) string {
		return "set -gx " + name + " '" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(value) + "'"
	},
	"powershell": func(name, value string) string {
		return "$env:" + name + " = '" + strings.ReplaceAll(value, "'", "''") + "'"
	},
	"dotenv": dotenv,
}

// dotenv quotes as the readers of such files agree: nothing is expanded in single quotes; where one is in the value,
// or a line ends there, it is double quotes with their escapes.
func dotenv(name, value string) string {
	if !strings.ContainsAny(value, "'\r\n") {
		return name + "='" + value + "'"
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`).Replace(value) + `"`
}

var notVariable = lazyregexp.New(`[^A-Z0-9_]`)

// variableName gives an output's name the form that environment variables have.
func variableName(output string) string {
	name := notVariable.ReplaceAllString(strings.ToUpper(output), "_")
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

func (a *app) env(write func(name, value string) string, reveal bool) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	outputs, err := s.outputs(reveal)
	if err != nil {
		return err
	}
	variables, from := map[string]string{}, map[string]string{}
	var lines, hidden []string
	for _, o := range outputs {
		name := variableName(o.Name)
		if other, taken := from[name]; taken {
			return fmt.Errorf("the outputs %q and %q both are the variable %s; rename one", other, o.Name, name)
		}
		from[name] = o.Name
		if o.Value.Sensitive && !reveal {
			hidden = append(hidden, o.Name)
			continue
		}
		variables[name] = o.Value.Reveal()
		lines = append(lines, write(name, variables[name])+"\n")
	}
	if len(hidden) > 0 {
		a.say("Left out, as sensitive: %s. With --reveal they are printed.", join(hidden))
	}
	if a.json {
		return json.NewEncoder(a.Out).Encode(struct {
			Format    int               `json:"format"`
			Variables map[string]string `json:"variables"`
		}{view.Format, variables})
	}
	_, err = fmt.Fprint(a.Out, strings.Join(lines, ""))
	return err
}
