package relay

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// State is how the link or a wire is.
type State string

// The states. Connecting becomes Down with the first attempt that fails, and stays so until one succeeds.
const (
	Up         State = "up"
	Connecting State = "connecting"
	Down       State = "down"
)

// Status is what `gateway status` prints. Fields are added, never renamed.
type Status struct {
	Machine string       `json:"machine"`
	Link    LinkStatus   `json:"link"`
	Wires   []WireStatus `json:"wires"`
	// ConfigError says why the last change of the wires was not taken; those before it go on.
	ConfigError string `json:"config_error,omitempty"`
}

// LinkStatus is how the connection to the machine is.
type LinkStatus struct {
	State State     `json:"state"`
	Since time.Time `json:"since"` // when State began
	// Error is why the link was lost, or why the last attempt failed; empty while it is up.
	Error  string `json:"error,omitempty"`
	BootID string `json:"boot_id,omitempty"` // of the last connection
	// Connections counts how often the link came up.
	Connections int64 `json:"connections"`
}

// WireStatus is how one wire is.
type WireStatus struct {
	// Direction is "forward" (into the machine) or "reverse" (out of it).
	Direction string `json:"direction"`
	// Name is a forward's port name, or the endpoint that a reverse wire leads to (container.db.port.sql).
	Name   string `json:"name"`
	Listen string `json:"listen"` // where connections come in
	Dial   string `json:"dial"`   // where they go
	State  State  `json:"state"`
	// Error is why State is not up; LastError is what the last connection that failed met, at LastErrorAt.
	Error       string    `json:"error,omitempty"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	Connections int64     `json:"connections"` // since the gateway started
	Open        int64     `json:"open"`
	BytesIn     int64     `json:"bytes_in"`  // into the machine
	BytesOut    int64     `json:"bytes_out"` // out of the machine
}

// Ready returns nil when the link is up and every wire is, and else all that is not.
func (s Status) Ready() error {
	var errs []error
	if s.ConfigError != "" {
		errs = append(errs, errors.New(s.ConfigError))
	}
	if s.Link.State != Up {
		errs = append(errs, fmt.Errorf("link to %s is %s%s", s.Machine, s.Link.State, because(s.Link.Error)))
		return errors.Join(errs...)
	}
	for _, w := range s.Wires {
		if w.State != Up {
			errs = append(errs, fmt.Errorf("wire %s (%s to %s) is %s%s", w.Name, w.Listen, w.Dial, w.State, because(w.Error)))
		}
	}
	return errors.Join(errs...)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// meter is a wire's own account of itself.
type meter struct {
	connections, open, in, out atomic.Int64

	mu        sync.Mutex
	listening bool
	reason    string // why not listening; "" before the first try
	last      string
	lastAt    time.Time
}

func (m *meter) listens(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listening, m.reason = err == nil, ""
	if err != nil {
		m.reason = err.Error()
	}
}

// silent says that nothing listens, and that nothing went wrong: the link is away.
func (m *meter) silent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listening, m.reason = false, ""
}

func (m *meter) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.lastAt = err.Error(), time.Now()
}

// fill adds the account to s, whose link is as link says.
func (m *meter) fill(s *WireStatus, link LinkStatus) {
	s.Connections, s.Open, s.BytesIn, s.BytesOut = m.connections.Load(), m.open.Load(), m.in.Load(), m.out.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.LastError, s.LastErrorAt = m.last, m.lastAt
	switch {
	case m.reason != "":
		s.State, s.Error = Down, m.reason
	case link.State != Up:
		s.State, s.Error = link.State, link.Error
	case !m.listening:
		s.State = Connecting
	default:
		s.State = Up
	}
}
