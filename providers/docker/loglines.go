package docker

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/envctl/envctl/providers"
)

// LogLine is one line that a container printed.
type LogLine struct {
	Time   time.Time // of the engine's clock, when the line began
	Stream string    // "stdout" or "stderr"
	Text   string
}

// Lines gives what a container printed line by line, as Logs does, each with its time. It ends with the first error
// that line gives.
func (p *Provider) Lines(ctx context.Context, o providers.Observed, opts providers.LogOptions, line func(LogLine) error) error {
	opts.Timestamps = true
	out, errs := &stamped{stream: "stdout", line: line}, &stamped{stream: "stderr", line: line}
	if err := p.Logs(ctx, o, opts, out, errs); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	return errs.flush()
}

// stamped puts lines together from the engine's messages. Each message is written at once and begins with its time; one
// ends where a line does, or after 16 KiB.
type stamped struct {
	stream string
	line   func(LogLine) error
	began  time.Time
	rest   []byte
}

func (s *stamped) Write(message []byte) (int, error) {
	text := message
	if stamp, after, ok := bytes.Cut(message, []byte(" ")); ok {
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
			text = after
			if len(s.rest) == 0 {
				s.began = at
			}
		}
	}
	s.rest = append(s.rest, text...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			return len(message), nil
		}
		s.rest = rest
		if err := s.emit(line); err != nil {
			return 0, err
		}
	}
}

func (s *stamped) emit(line []byte) error {
	return s.line(LogLine{Time: s.began, Stream: s.stream, Text: strings.TrimSuffix(string(line), "\r")})
}

// flush hands on the line that has no end.
func (s *stamped) flush() error {
	if len(s.rest) == 0 {
		return nil
	}
	return s.emit(s.rest)
}

// Starts tells of every container of an instance that is started from now on, one made anew included. It is called
// from one goroutine, and Starts returns when ctx ends or the engine does.
func (p *Provider) Starts(ctx context.Context, i providers.Instance, started func(providers.Observed)) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	filter := instanceFilter(i)
	filter.Add("type", string(events.ContainerEventType))
	filter.Add("event", string(events.ActionStart))
	return p.watch(ctx, filter, started)
}

func (p *Provider) watch(ctx context.Context, filter filters.Args, started func(providers.Observed)) error {
	messages, failed := p.api.Events(ctx, events.ListOptions{Filters: filter})
	for {
		select {
		case m := <-messages:
			// An event's attributes hold the container's labels.
			if o, ok := fromLabels(m.Actor.Attributes); ok {
				o.Handle, o.State = m.Actor.ID, providers.Starting
				started(o)
			}
		case err := <-failed:
			return p.explain(err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
