// Package event says what happened while a plan was carried out. Its JSON form
// is the contract of `up --json` and `down --json`: fields are added, never
// renamed. No event holds a secret.
package event

import (
	"encoding/json"
	"time"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/secret"
)

// Type says what an event tells.
type Type string

// The types of event, in the order in which one resource has them.
const (
	Start    Type = "start"    // the run began; carries Format
	Begin    Type = "begin"    // work on a resource began
	Progress Type = "progress" // something moved on; may be dropped
	Log      Type = "log"      // a line that what is being built or run printed; may be dropped
	Warning  Type = "warning"  // something the person should know
	Waiting  Type = "waiting"  // made, and not ready yet
	Done     Type = "done"     // the resource is as it should be
	Failed   Type = "failed"   // the resource is not as it should be; Error says why
	Skipped  Type = "skipped"  // not tried, because something it needs failed
	End      Type = "end"      // the run is over; carries OK
	// With up --watch, between the last Done and End, and for as long as it goes on.
	Synced    Type = "synced"    // files went into a container; Message says how many, Current is their number
	Restarted Type = "restarted" // a container was restarted for a change
	Rebuild   Type = "rebuild"   // a change calls for a build: the events of an up follow
	Watching  Type = "watching"  // all is up and synced, at first and after each up; changes are followed
	// Diagnostic is something wrong with the spec; it carries Diagnostic.
	Diagnostic Type = "diagnostic"
)

// Event is one thing that happened.
type Event struct {
	Time    time.Time `json:"time"`
	Format  int       `json:"format,omitempty"`
	Type    Type      `json:"type"`
	Address addr.Addr `json:"address,omitzero"`
	// Layer is the Windows layer that the event is about, if it is about one.
	Layer  string `json:"layer,omitempty"`
	Action string `json:"action,omitempty"`
	// Message is one line for a person.
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
	// Current and Total are bytes or steps, where Progress has an end in sight.
	Current int64 `json:"current,omitempty"`
	Total   int64 `json:"total,omitempty"`
	// Parts are what a Progress is made of where that is several things at once: the layers of an image that comes.
	Parts []Part `json:"parts,omitempty"`
	// Seconds is how long what ended has taken.
	Seconds float64 `json:"seconds,omitempty"`
	// Diagnostic is one as `validate --json` has it.
	Diagnostic json.RawMessage `json:"diagnostic,omitempty"`
	// OK is set on End.
	OK *bool `json:"ok,omitempty"`
}

// Part is one layer of an image that comes.
type Part struct {
	Name  string `json:"name"`
	State string `json:"state"`
	// Current is how many of its Total bytes have come or, where it is unpacked, are unpacked. Total is 0 where it is not known.
	Current int64 `json:"current,omitempty"`
	Total   int64 `json:"total,omitempty"`
}

// The states of a Part, in their order.
const (
	PartWaiting     = "waiting"
	PartDownloading = "downloading"
	PartDownloaded  = "downloaded"
	PartUnpacking   = "unpacking"
	PartDone        = "done"
)

// Move takes a part to a state. Total is 0 where nothing is said of it.
func (p *Part) Move(state string, current, total int64) {
	if total > 0 {
		p.Total = total
	}
	p.State, p.Current = state, current
	if state == PartDownloaded || state == PartDone {
		p.Current = p.Total
	}
}

// Came is how many bytes of a part have come.
func (p Part) Came() int64 {
	if p.State == PartWaiting || p.State == PartDownloading {
		return p.Current
	}
	return p.Total
}

// Final reports whether an event must reach its reader: progress and log lines
// may be dropped when a reader is slow, the rest may not.
func (t Type) Final() bool { return t != Progress && t != Log }

// Sink takes events. It is called from many goroutines and must not block for long.
type Sink func(Event)

// For gives a sink that stamps an address on what passes, so that a provider
// reports on a resource without naming it each time.
func (s Sink) For(a addr.Addr) Sink {
	return func(e Event) {
		e.Address = a
		s(e)
	}
}

// Masked gives a sink that takes secrets out of what passes.
func (s Sink) Masked(m *secret.Masker) Sink {
	return func(e Event) {
		e.Message, e.Error = m.Text(e.Message), m.Text(e.Error)
		s(e)
	}
}
