package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
)

// completer is what cobra asks when a shell wants to know how a word may go on.
type completer = func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective)

// completeAddresses offers the spec's resources of some kinds, and more. It asks no engine: a shell waits for it.
// At most so many words are addresses; 0 is all.
func (a *app) completeAddresses(most int, more []string, kinds ...addr.Kind) completer {
	return func(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault // a command's own words
		}
		return a.offer(word, func(spec *envspec.Spec) []string {
			names := slices.Clone(more)
			for _, r := range spec.Resources() {
				for _, k := range kinds {
					if k == r.Addr.Kind || k == addr.Gateway && r.Machine != nil || k == addr.Sandbox && r.Machine != nil && r.Machine.Sandbox {
						names = append(names, r.Addr.Sibling(k).String())
					}
				}
			}
			return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) })
		})
	}
}

// completeOutputs offers the names of outputs.
func (a *app) completeOutputs() completer {
	return func(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.offer(word, func(spec *envspec.Spec) (names []string) {
			env, diags := spec.Evaluate(specimen{}, specimen{})
			if diags.HasErrors() {
				return nil
			}
			for _, o := range env.Outputs {
				names = append(names, o.Name)
			}
			return names
		})
	}
}

// completeProfiles offers the profiles that resources have.
func (a *app) completeProfiles(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(word, func(spec *envspec.Spec) []string {
		names := []string{envspec.AllProfiles}
		for _, r := range slices.Concat(spec.Resources(), spec.Idle()) {
			names = append(names, r.Profiles...)
		}
		slices.Sort(names)
		return slices.Compact(names)
	})
}

// completeCredentials offers the spec's credentials.
func (a *app) completeCredentials(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.offer(word, func(spec *envspec.Spec) (names []string) {
		for _, c := range spec.Credentials() {
			names = append(names, c.Name)
		}
		return names
	})
}

// completeFlags says for all commands how the values of the flags go on that several of them have, and takes
// out of their descriptions what marks the name of a value in help: a shell would show it.
func (a *app) completeFlags(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.completeFlags(sub)
	}
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	}
	// These fail only where the command has no such flag.
	_ = c.MarkFlagFilename("var-file", "hcl")
	_ = c.RegisterFlagCompletionFunc("profile", a.completeProfiles)
	_ = c.MarkPersistentFlagDirname("chdir")
	_ = c.MarkPersistentFlagFilename("file", "hcl")
}

// offer gives those of a spec's names that a word begins. A spec with mistakes has none: nothing may be printed here.
func (a *app) offer(word string, names func(*envspec.Spec) []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	spec, diags, err := a.load()
	if err != nil || diags.HasErrors() {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var fit []cobra.Completion
	for _, name := range names(spec) {
		if strings.HasPrefix(name, word) {
			fit = append(fit, name)
		}
	}
	return fit, cobra.ShellCompDirectiveNoFileComp
}
