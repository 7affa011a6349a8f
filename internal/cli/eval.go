package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers/docker"
)

type evalOptions struct {
	from   []string
	reveal bool
}

func (a *app) evalCommand() *cobra.Command {
	var opts evalOptions
	c := &cobra.Command{
		Use:   "eval [EXPR]",
		Short: "Evaluate an expression as a resource would see it",
		Long: `Evaluate an expression of the language as it reads in a resource's body, or on the host: an address depends on who
asks. The ports are those of the environment that is up, or those that "envctl up" would assign.

Without EXPR it reads an expression a line; there, ":from ADDRESS" goes to stand elsewhere.`,
		Example: `  envctl eval windows.pas.port.api.url --from container.booking
  envctl eval local.pas_url --from all`,
		Args:              cobra.MaximumNArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return a.eval(args, opts) },
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.specFlags(c)
	c.Flags().StringArrayVar(&opts.from, "from", []string{"host"}, "where to stand: host, a resource's `address`, or all; may be repeated")
	c.Flags().BoolVar(&opts.reveal, "reveal", false, "show sensitive values")
	_ = c.RegisterFlagCompletionFunc("from", a.completeAddresses(0, []string{"host", "all"}, addr.Container, addr.Job, addr.Windows)) // fails only for a flag that is not there
	return c
}

// evaluator evaluates expressions at vantages.
type evaluator struct {
	*session
	from        []addr.Addr
	credentials envspec.Credentials
	reveal      bool
}

func (a *app) eval(args []string, opts evalOptions) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	e := &evaluator{session: s, reveal: opts.reveal}
	if err := e.stand(opts.from); err != nil {
		return err
	}
	ctx := a.interrupts.stop
	err = s.observe(ctx)
	if errors.Is(err, docker.ErrNoEngine) {
		a.say("No Docker engine answers: the ports are those of an environment that is not up.")
		err = s.assignPorts(nil)
	}
	if err != nil {
		return err
	}
	e.credentials = s.secrets.StandIns(ctx)
	if opts.reveal {
		e.credentials = existing{ctx, s.secrets}
	}
	if len(args) == 0 {
		return e.console()
	}
	ok, err := e.show(args[0])
	if err == nil && !ok {
		err = exit(ExitFailed)
	}
	return err
}

// stand goes to where expressions are evaluated from now on.
func (e *evaluator) stand(names []string) error {
	all := addresses(e.spec)
	var from []addr.Addr
	for _, name := range names {
		switch name {
		case "all":
			from = append(append(from, addr.Host), all...)
		case "host":
			from = append(from, addr.Host)
		default:
			at, err := pick(all, name)
			if err != nil {
				return fmt.Errorf("%w, host and all", err)
			}
			from = append(from, at)
		}
	}
	e.from = from
	return nil
}

// addresses are those of a spec's resources.
func addresses(spec *envspec.Spec) []addr.Addr {
	var all []addr.Addr
	for _, r := range spec.Resources() {
		all = append(all, r.Addr)
	}
	return all
}

type evalOutput struct {
	Format  int          `json:"format"`
	Results []evalResult `json:"results"`
}

type evalResult struct {
	From      addr.Addr       `json:"from"`
	Value     any             `json:"value"`
	Sensitive bool            `json:"sensitive"`
	Wires     []addr.Endpoint `json:"wires"`
}

// show evaluates an expression at each vantage and prints what it comes to. It is not ok where a mistake
// was shown in place of a value.
func (e *evaluator) show(expression string) (ok bool, err error) {
	out := evalOutput{Format: view.Format}
	rows := [][]string{{"FROM", "VALUE"}}
	for _, from := range e.from {
		r, diags := e.spec.Eval(expression, from, e.ports, e.credentials)
		if diags.HasErrors() {
			if e.json {
				return false, envspec.DiagnosticsJSON(e.Out, diags)
			}
			if len(e.from) > 1 {
				e.say("From %s:", from)
			}
			return false, e.showDiagnostics(e.spec, diags)
		}
		out.Results = append(out.Results, e.result(from, r))
		rows = append(rows, []string{from.String(), e.text(r)})
	}
	switch {
	case e.json:
		return true, json.NewEncoder(e.Out).Encode(out)
	case len(e.from) > 1:
		return true, view.Table(e.Out, rows, e.colorOut())
	}
	_, err = fmt.Fprintln(e.Out, rows[1][1])
	return true, err
}

func (e *evaluator) text(r envspec.Result) string {
	switch {
	case r.Text.Sensitive && !e.reveal:
		return secret.Mask
	case e.reveal:
		return r.Text.Reveal()
	}
	return r.Text.String()
}

func (e *evaluator) result(from addr.Addr, r envspec.Result) evalResult {
	out := evalResult{From: from, Sensitive: r.Text.Sensitive, Wires: []addr.Endpoint{}}
	switch {
	case r.Text.Sensitive && !e.reveal:
	case r.JSON:
		out.Value = json.RawMessage(r.Text.Reveal())
	default:
		out.Value = r.Text.Reveal()
	}
	for _, w := range r.Wires {
		out.Wires = append(out.Wires, w.To)
	}
	return out
}

// line takes one line of the console.
func (e *evaluator) line(text string) (ok bool, err error) {
	text = strings.TrimSpace(text)
	switch from, moves := strings.CutPrefix(text, ":from "); {
	case text == "" || strings.HasPrefix(text, "#"):
		return true, nil
	case moves:
		if err := e.stand(strings.Fields(from)); err != nil {
			fmt.Fprintf(e.Err, "Error: %v\n", err)
			return false, nil
		}
		return true, nil
	case strings.HasPrefix(text, ":"):
		fmt.Fprintf(e.Err, "Error: %q is not a command of this console; there is \":from ADDRESS\", and Ctrl-D ends it\n", text)
		return false, nil
	}
	return e.show(text)
}
