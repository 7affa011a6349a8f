package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
)

func (a *app) logsCommand() *cobra.Command {
	var opts providers.LogOptions
	var since string
	c := &cobra.Command{
		Use:   "logs [ADDRESS...]",
		Short: "Print what containers wrote",
		Long: `Print what containers wrote to their standard output and error, in the order of time, each line behind its container's
name. Without addresses, those of the spec; the name of a block with for_each is all that it makes; the sandbox and the gateway of a Windows machine have to be named.
With --follow it goes on, also when a container is restarted or made anew, until all have ended or Ctrl-C.`,
		Example: "  envctl logs --follow\n  envctl logs db booking --since 10m\n  envctl logs gateway.pas -n 20 --json",
		RunE: func(_ *cobra.Command, args []string) error {
			from, err := parseMoment(since)
			if err != nil {
				return usageError{err: err}
			}
			return a.logs(args, from, opts)
		},
	}
	c.ValidArgsFunction = a.completeAddresses(0, nil, addr.Container, addr.Job, addr.Gateway, addr.Sandbox)
	a.specFlags(c)
	c.Flags().BoolVar(&opts.Follow, "follow", false, "go on as more is written")
	c.Flags().IntVarP(&opts.Tail, "tail", "n", 0, "only this many `lines` from the end of each (default all)")
	c.Flags().StringVar(&since, "since", "", "only what was written in this long, as in 10m, or since a `time`, as in 2026-01-31T09:30:00Z")
	c.Flags().BoolVarP(&opts.Timestamps, "timestamps", "t", false, "print when each line was written")
	return c
}

// moment is a time, or how long ago something was by the engine's clock, which dates the lines.
type moment struct {
	at       time.Time
	ago      time.Duration
	relative bool
}

// parseMoment reads how long ago something was, or when. "" is the zero time.
func parseMoment(text string) (moment, error) {
	if text == "" {
		return moment{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return moment{ago: d, relative: true}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return moment{at: t}, nil
		}
	}
	return moment{}, fmt.Errorf("--since %q is neither how long ago, as in 10m, nor a time, as in 2026-01-31T09:30:00Z", text)
}

func (a *app) logs(names []string, since moment, opts providers.LogOptions) error {
	ctx := a.interrupts.stop
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	is, all, err := s.here(ctx)
	if err != nil {
		return err
	}
	targets, err := logTargets(all, names)
	if err != nil {
		return err
	}
	opts.Since = since.at
	if since.relative {
		now, err := s.docker.Now(ctx)
		if err != nil {
			return err
		}
		opts.Since = now.Add(-since.ago)
	}
	out := view.NewLog(a.Out, targets, a.colorOut())
	out.JSON, out.Times = a.json, opts.Timestamps
	l := newLogs(s.docker, out, opts)
	for _, t := range targets {
		l.add(is[t])
	}
	err = l.history(ctx)
	if err == nil && opts.Follow {
		err = l.follow(ctx, s.instance)
	}
	if errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return nil // Ctrl-C is how following ends
	}
	return err
}

// logTargets finds the containers that are meant: those named, or those of the spec.
func logTargets(all []addr.Addr, names []string) ([]addr.Addr, error) {
	var targets []addr.Addr
	for _, name := range names {
		found, err := pickAll(all, name)
		if err != nil {
			return nil, err
		}
		if t := found[0]; t.Kind == addr.Windows {
			return nil, fmt.Errorf("%s is a machine, not a process: see \"envctl logs %s\" for what it runs on, or read a file with \"envctl exec\"",
				t, t.Sibling(addr.Gateway))
		}
		targets = append(targets, found...)
	}
	if len(names) == 0 {
		for _, t := range all {
			if t.Kind == addr.Container {
				targets = append(targets, t)
			}
		}
	}
	return targets, nil
}
