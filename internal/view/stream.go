package view

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// Format is the version of the JSON that envctl writes.
const Format = 1

// Stream writes events as they come. It may be used from many goroutines.
type Stream struct {
	mu    sync.Mutex
	write func(event.Event) error
	now   func() time.Time
	err   error // the first failure of the writer; nothing is written after it
	begun bool
	ended bool
}

func newStream(write func(event.Event) error) *Stream {
	return &Stream{write: write, now: time.Now}
}

// Event is an event.Sink.
func (s *Stream) Event(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(e)
}

func (s *Stream) put(e event.Event) {
	if s.ended || s.err != nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = s.now().UTC()
	}
	if !s.begun {
		s.begun = true
		if e.Type == event.Start {
			e.Format = Format
		} else {
			s.err = s.write(event.Event{Time: e.Time, Type: event.Start, Format: Format})
		}
	}
	s.ended = e.Type == event.End
	if s.err == nil {
		s.err = s.write(e)
	}
}

// Close ends the stream, with an End event if there was none. Failed is what the run came to. The error is
// the writer's.
func (s *Stream) Close(failed error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := failed == nil
	e := event.Event{Type: event.End, OK: &ok}
	if !ok {
		e.Error = failed.Error()
	}
	s.put(e)
	return s.err
}

// JSON writes an event a line. The first carries the format, the last says whether all went well.
func JSON(w io.Writer) *Stream {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return newStream(func(e event.Event) error { return enc.Encode(e) })
}

// Plain writes lines for a person who reads a log. Addrs are the resources that will come up, so that columns
// stand still from the first line; there may be others.
func Plain(w io.Writer, color bool, addrs []addr.Addr) *Stream {
	p := &plain{style: style{color}, w: bufio.NewWriter(w), last: map[addr.Addr]said{}}
	for _, a := range addrs {
		p.width = max(p.width, len(a.String()))
	}
	p.width = min(p.width, 48)
	return newStream(p.event)
}

// Quiet writes failures and warnings alone, as Plain does.
func Quiet(w io.Writer, color bool) *Stream {
	p := &plain{style: style{color}, w: bufio.NewWriter(w), last: map[addr.Addr]said{}}
	return newStream(func(e event.Event) error {
		if e.Type == event.Failed || e.Type == event.Warning {
			return p.event(e)
		}
		return nil
	})
}

// maxProgress is how many columns of what goes on are shown: a step of a build may be a whole script.
const maxProgress = 160

type plain struct {
	style
	w     *bufio.Writer
	width int
	last  map[addr.Addr]said // of each what was last said of its progress, which is not said twice
}

type said struct {
	message string
	at      time.Time
}

func (p *plain) event(e event.Event) error {
	v := verbOf(e.Action)
	switch e.Type {
	case event.Start:
		if e.Message != "" {
			fmt.Fprintln(p.w, p.paint(bold, clean(e.Message)))
		}
	case event.Begin:
		p.line(e, "", "", v.doing, e.Message)
	case event.Progress:
		p.progress(e)
	case event.Log:
		if e.Layer == "" {
			return nil // what a build prints is for when it fails: its error ends with it
		}
		for _, line := range Lines(e.Message) {
			fmt.Fprintln(p.w, p.paint(dim, "      "+name(e)+" | "+line))
		}
	case event.Warning:
		p.line(e, "!", yellow, "warning", "")
		p.block(e.Message)
	case event.Waiting:
		// Whoever waits says for what, as progress.
	case event.Done:
		if e.Action == string(providers.None) {
			return nil // nothing happened
		}
		p.line(e, v.sign, v.sgr, v.done, took(e))
	case event.Synced, event.Restarted:
		p.line(e, "~", green, string(e.Type), strings.TrimSpace(e.Message+"  "+took(e)))
	case event.Rebuild:
		p.line(e, "", "", "rebuild", e.Message)
	case event.Watching:
		p.line(e, "", "", "watching", e.Message)
	case event.Skipped:
		p.line(e, "!", yellow, "skipped", strings.TrimPrefix(e.Message, "skipped, "))
	case event.Failed:
		p.line(e, "x", red, "failed", took(e))
		p.block(e.Error)
	}
	return p.w.Flush()
}

// partsEvery is how often what is made of parts says how far it is, where it goes on under one message.
const partsEvery = 5 * time.Second

func (p *plain) progress(e event.Event) {
	last, key := p.last[e.Address], e.Layer+e.Message
	if e.Message == "" || last.message == key && (len(e.Parts) == 0 || e.Time.Sub(last.at) < partsEvery) {
		return
	}
	p.last[e.Address] = said{key, e.Time}
	text := ansi.Truncate(e.Message, maxProgress, "…")
	if len(e.Parts) > 0 {
		text += ": " + Parts(e.Parts)
	}
	p.line(e, "", "", "", text)
}

// line is one row: sign, address, word, and the rest.
func (p *plain) line(e event.Event, sign, sgr, word, rest string) {
	indent := ""
	if e.Layer != "" {
		indent = strings.Repeat(" ", layerIndent)
	}
	if rest != "" {
		rest = strings.Join(Lines(rest), " ")
	}
	if sign == "" {
		rest = p.paint(dim, rest)
	}
	line := fmt.Sprintf("%s%s %-*s  %s  %s", indent, p.paint(sgr, fmt.Sprintf("%3s", sign)),
		p.width-len(indent), name(e), p.paint(sgr, fmt.Sprintf("%-9s", word)), rest)
	fmt.Fprintln(p.w, strings.TrimRight(line, " "))
}

func (p *plain) block(text string) {
	for _, line := range Lines(text) {
		fmt.Fprintln(p.w, strings.TrimRight("      "+line, " "))
	}
}

func name(e event.Event) string {
	switch {
	case e.Layer != "":
		return e.Layer
	case e.Address.IsHost():
		return "" // about the run as a whole
	}
	return e.Address.String()
}

func took(e event.Event) string {
	if e.Seconds == 0 {
		return ""
	}
	return Duration(e.Seconds)
}
