package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/engine"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/tui"
	"github.com/envctl/envctl/internal/view"
)

// streaming runs a command whose --json output is a stream of events: the first line carries the format and
// the last says how it ended, whatever happened in between.
func (a *app) streaming(title string, run func() error) error {
	if !a.json {
		return run()
	}
	a.stream = view.JSON(a.Out)
	a.stream.Event(event.Event{Type: event.Start, Message: title})
	err := run()
	return errors.Join(err, a.stream.Close(err))
}

// diagnostics shows what is wrong with a spec, as events where those are what is written.
func (a *app) diagnostics(spec *envspec.Spec, diags hcl.Diagnostics) error {
	if a.stream == nil {
		return a.showDiagnostics(spec, diags)
	}
	for _, d := range envspec.ToJSON(diags) {
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		a.stream.Event(event.Event{Type: event.Diagnostic, Message: d.Summary, Diagnostic: text})
	}
	return nil
}

// run carries a plan out under the view that the surroundings call for.
func (w *world) run(title string, p *plan.Plan, bodies func(addr.Addr) any) error {
	sink, end := w.progress(title, p)
	w.engine.Sink, w.engine.Bodies = sink, bodies
	err := w.engine.Run(w.interrupts.now, w.interrupts.stop, p)
	if viewErr := end(err); viewErr != nil {
		return errors.Join(err, viewErr)
	}
	switch {
	case err == nil:
		return nil
	case w.interrupts.stop.Err() != nil:
		w.say("Interrupted. \"envctl up\" goes on from here; \"envctl down\" takes away what is there.")
		return said{"interrupted", ExitInterrupted}
	}
	return &runError{title, err}
}

// runError is a run whose failures the view has shown one by one already.
type runError struct {
	title string
	err   error
}

func (e *runError) Error() string {
	var failed []string
	for _, err := range unjoin(e.err) {
		var one *engine.Error
		if errors.As(err, &one) {
			failed = append(failed, one.Addr.String())
		}
	}
	if len(failed) == 0 {
		return e.err.Error()
	}
	return fmt.Sprintf("%s did not succeed for %s", e.title, join(failed))
}

func (e *runError) Unwrap() error { return e.err }

func unjoin(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// progress starts a view and gives where events go and how it ends.
func (w *world) progress(title string, p *plan.Plan) (event.Sink, func(error) error) {
	addrs := make([]addr.Addr, len(p.Operations))
	for i, op := range p.Operations {
		addrs[i] = op.Addr
	}
	stream := func(s *view.Stream) (event.Sink, func(error) error) { return s.Event, s.Close }
	screen, live := w.terminal()
	switch {
	case w.stream != nil:
		return w.stream.Event, func(error) error { return nil } // streaming ends it
	case w.quiet:
		return stream(view.Quiet(w.Err, w.color()))
	case live && !w.json:
		return w.live(title, addrs, screen)
	}
	return stream(view.Plain(w.Err, w.color(), addrs))
}

// live draws on the terminal until the last event, and leaves the last frame there.
func (w *world) live(title string, addrs []addr.Addr, screen *os.File) (event.Sink, func(error) error) {
	var bus event.Bus
	events := bus.Subscribe(w.interrupts.now)
	in, _ := w.In.(*os.File)
	ended := make(chan error, 1)
	go func() {
		ended <- tui.Run(w.interrupts.now, title, addrs, events, screen, in, w.color(), w.interrupts.interrupt)
	}()
	return bus.Publish, func(error) error {
		bus.Close()
		return <-ended
	}
}
