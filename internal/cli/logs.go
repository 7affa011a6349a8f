package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

func (a *app) logsCommand() *cobra.Command {
	var opts providers.LogOptions
	var since time.Duration
	c := &cobra.Command{
		Use:   "logs [ADDRESS...]",
		Short: "Print what containers wrote",
		Long: `Print what containers wrote to their standard output and error, each line behind its container's name. Without
addresses, those of the spec; the sandbox and the gateway of a Windows machine have to be named.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if since > 0 {
				opts.Since = time.Now().Add(-since)
			}
			return a.logs(args, opts)
		},
	}
	c.ValidArgsFunction = a.completeAddresses(0, nil, addr.Container, addr.Gateway, addr.Sandbox)
	a.specFlags(c)
	c.Flags().BoolVar(&opts.Follow, "follow", false, "go on as more is written")
	c.Flags().IntVarP(&opts.Tail, "tail", "n", 0, "only this many lines from the end of each (default all)")
	c.Flags().DurationVar(&since, "since", 0, "only what was written in this long, as in 10m")
	c.Flags().BoolVarP(&opts.Timestamps, "timestamps", "t", false, "print when each line was written")
	return c
}

func (a *app) logs(names []string, opts providers.LogOptions) error {
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
	var targets []addr.Addr
	for _, name := range names {
		t, err := pick(all, name)
		if err != nil {
			return err
		}
		if t.Kind == addr.Windows {
			return fmt.Errorf("%s is a machine, not a process: see \"envctl logs %s\" for what it runs on, or read a file with \"envctl exec\"",
				t, t.Sibling(addr.Gateway))
		}
		targets = append(targets, t)
	}
	if len(names) == 0 {
		for _, t := range all {
			if t.Kind == addr.Container || t.Kind == addr.Job {
				targets = append(targets, t)
			}
		}
	}
	err = a.printLogs(ctx, s, is, targets, opts)
	if errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return nil // Ctrl-C is how following ends
	}
	return err
}

func (a *app) printLogs(ctx context.Context, s *session, is map[addr.Addr]providers.Observed, targets []addr.Addr, opts providers.LogOptions) error {
	width := 0
	for _, t := range targets {
		width = max(width, len(t.String()))
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range targets {
		lines := func(w io.Writer, stream string) *lineWriter {
			return &lineWriter{mu: &mu, write: func(line []byte) error {
				if a.json {
					return json.NewEncoder(w).Encode(logLine{Address: t, Stream: stream, Line: string(line)})
				}
				_, err := fmt.Fprintf(w, "%-*s  %s\n", width, t, line)
				return err
			}}
		}
		out, errs := lines(a.Out, "stdout"), lines(a.Out, "stderr")
		g.Go(func() error {
			err := s.docker.Logs(ctx, is[t], opts, out, errs)
			return errors.Join(err, out.flush(), errs.flush())
		})
	}
	return g.Wait()
}

type logLine struct {
	Address addr.Addr `json:"address"`
	Stream  string    `json:"stream"`
	Line    string    `json:"line"`
}

// lineWriter hands on whole lines, so that those of several containers do not run into each other.
type lineWriter struct {
	mu    *sync.Mutex
	write func(line []byte) error
	rest  []byte
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if err := l.one(bytes.TrimSuffix(line, []byte("\r"))); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

func (l *lineWriter) one(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(line)
}

func (l *lineWriter) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	return l.one(l.rest)
}
