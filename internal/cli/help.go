package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	wordwrap "github.com/mitchellh/go-wordwrap"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// helpColumns is how wide help gets at most: longer lines are hard to read.
const helpColumns = 100

// groups are the headings under which envctl's help lists its commands, and the commands below each.
var groups = []struct {
	title string
	names []string
}{
	{"Begin", []string{"init", "import", "validate", "plan"}},
	{"Run an environment", []string{"up", "status", "stop", "start", "restart", "down"}},
	{"Work with it", []string{"outputs", "env", "ports", "logs", "exec", "shell", "cp", "credentials", "snapshot", "doctor"}},
	{"Write a spec", []string{"fmt", "lock", "graph", "eval", "schema"}},
}

// help prints what a command is for and how it is called, as wide as the terminal is.
func (a *app) help(c *cobra.Command, _ []string) {
	w := c.OutOrStdout()
	h := helpText{columns: uint(columns(w))}
	if a.colorOut() {
		h.bold, h.plain = "\x1b[1m", "\x1b[0m"
	}
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	h.paragraphs(text)
	h.heading("Usage")
	switch {
	case !c.HasParent():
		fmt.Fprintf(&h.b, "  %s COMMAND [flags]\n", c.Name())
	case c.Runnable():
		fmt.Fprintf(&h.b, "  %s\n", c.UseLine())
	}
	if c.HasParent() && c.HasAvailableSubCommands() {
		fmt.Fprintf(&h.b, "  %s COMMAND [flags]\n", c.CommandPath())
	}
	if c.HasExample() {
		h.heading("Examples")
		fmt.Fprintln(&h.b, strings.Trim(c.Example, "\n"))
	}
	h.commands(c)
	if c.HasAvailableLocalFlags() {
		h.heading("Flags")
		h.b.WriteString(c.LocalFlags().FlagUsagesWrapped(int(h.columns)))
	}
	if c.HasAvailableInheritedFlags() {
		h.heading("Flags of every command")
		h.b.WriteString(c.InheritedFlags().FlagUsagesWrapped(int(h.columns)))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&h.b, "\n\"%s COMMAND --help\" says more about a command.\n", c.CommandPath())
	}
	_, _ = io.WriteString(w, h.b.String()) // there is nobody left to tell
}

// helpText is help being written.
type helpText struct {
	b           strings.Builder
	columns     uint
	bold, plain string
}

func (h *helpText) heading(title string) { fmt.Fprintf(&h.b, "\n%s%s:%s\n", h.bold, title, h.plain) }

// paragraphs writes text anew as wide as there is room; what is indented stays as it is.
func (h *helpText) paragraphs(text string) {
	var words []string
	flush := func() {
		if len(words) > 0 {
			fmt.Fprintln(&h.b, wordwrap.WrapString(strings.Join(words, " "), h.columns))
			words = nil
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			flush()
			fmt.Fprintln(&h.b, line)
			continue
		}
		words = append(words, line)
	}
	flush()
}

// commands lists those of a command: envctl's in groups, what is in none at the end.
func (h *helpText) commands(c *cobra.Command) {
	rest := slices.DeleteFunc(slices.Clone(c.Commands()), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
	if len(rest) == 0 {
		return
	}
	width := 0
	for _, c := range rest {
		width = max(width, len(c.Name()))
	}
	row := func(c *cobra.Command) {
		indent := strings.Repeat(" ", width+4)
		short := wordwrap.WrapString(c.Short, h.columns-uint(len(indent)))
		fmt.Fprintf(&h.b, "  %-*s  %s\n", width, c.Name(), strings.ReplaceAll(short, "\n", "\n"+indent))
	}
	if c.HasParent() {
		h.heading("Commands")
	} else {
		for _, g := range groups {
			h.heading(g.title)
			for _, name := range g.names {
				if i := slices.IndexFunc(rest, func(c *cobra.Command) bool { return c.Name() == name }); i >= 0 {
					row(rest[i])
					rest = slices.Delete(rest, i, i+1)
				}
			}
		}
		h.heading("More")
	}
	for _, c := range rest {
		row(c)
	}
}

// columns is how wide text for a person is on w: 40 at least.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return max(40, min(n, helpColumns))
		}
	}
	return 80
}
