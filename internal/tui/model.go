package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/view"
)

// state is where the work on a row stands.
type state int

const (
	pending state = iota
	preparing
	working
	waiting
	done
	failed
	skipped
)

// going reports whether something happens on a row.
func (s state) going() bool { return s == preparing || s == working || s == waiting }

// row is one resource, or one layer of a Windows machine.
type row struct {
	name    string
	state   state
	action  string
	began   time.Time
	seconds float64 // how long it took, once it ended
	message string
	current int64
	total   int64
	err     string
	layers  []*row
	parts   []event.Part // of an image that comes
	share   float64      // of all of them, which never goes back
	log     []string     // the last lines it said, shown when it failed
}

// logLines is how many lines of a log are shown below what failed.
const logLines = 10

// model is the whole view. All that is known comes in as messages; nothing here reads or writes but the
// commands that wait for the next events, the next Ctrl-C and the next tick.
type model struct {
	title    string
	listen   tea.Cmd
	ctrlC    tea.Cmd
	now      time.Time
	began    time.Time
	frame    int // of the spinner
	width    int
	height   int
	rows     []*row
	byAddr   map[addr.Addr]*row
	warnings []string
	pressed  int // how often Ctrl-C was pressed
	finished bool
	complete bool // all events were seen
	paint    palette
}

type (
	batchMsg    []event.Event
	finishedMsg struct{ complete bool }
	tickMsg     time.Time
	ctrlCMsg    struct{}
)

func newModel(title string, addrs []addr.Addr, now time.Time, p palette) *model {
	m := &model{title: title, now: now, began: now, width: 80, height: 24, byAddr: map[addr.Addr]*row{}, paint: p}
	for _, a := range addrs {
		m.row(a)
	}
	return m
}

// row gives a resource's row; one that nobody announced goes to the end.
func (m *model) row(a addr.Addr) *row {
	r, ok := m.byAddr[a]
	if !ok {
		r = &row{name: a.String()}
		m.byAddr[a] = r
		m.rows = append(m.rows, r)
	}
	return r
}

func (r *row) layer(name string) *row {
	// From the end: a layer that is undone and applied again is two rows.
	for i := len(r.layers) - 1; i >= 0; i-- {
		if r.layers[i].name == name {
			return r.layers[i]
		}
	}
	r.layers = append(r.layers, &row{name: name})
	return r.layers[len(r.layers)-1]
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return tea.Batch(m.listen, m.ctrlC, tick()) }

func tick() tea.Cmd {
	return tea.Tick(time.Second/12, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		m.now, m.frame = time.Time(msg), m.frame+1
		return m, tick()
	case batchMsg:
		for _, e := range msg {
			m.take(e)
		}
		return m, m.listen
	case finishedMsg:
		m.finished, m.complete = true, msg.complete
		return m, tea.Quit
	case ctrlCMsg:
		m.pressed++
		return m, m.ctrlC
	}
	return m, nil
}

// take carries one event into the rows.
func (m *model) take(e event.Event) {
	if e.Type == event.Warning {
		text := e.Message
		if !e.Address.IsHost() {
			text = e.Address.String() + ": " + text
		}
		m.warnings = append(m.warnings, text)
		return
	}
	if e.Address.IsHost() {
		return // about the run; its end is the end of the events
	}
	r := m.row(e.Address)
	if e.Layer != "" {
		if r.state == pending {
			r.state, r.began = working, m.at(e)
		}
		if e.Type == event.Begin {
			r.layers = append(r.layers, &row{name: e.Layer})
		}
		r = r.layer(e.Layer)
	}
	r.take(e, m.at(e))
}

func (m *model) at(e event.Event) time.Time {
	if e.Time.IsZero() {
		return m.now
	}
	return e.Time
}

func (r *row) take(e event.Event, at time.Time) {
	if e.Action != "" {
		r.action = e.Action
	}
	begin := func(s state) {
		if r.state == pending {
			r.began = at
		}
		r.state = s
	}
	switch e.Type {
	case event.Begin:
		begin(working)
		r.message, r.current, r.total, r.parts = e.Message, 0, 0, nil
	case event.Progress:
		if r.state == pending {
			begin(preparing)
		}
		r.progress(e)
	case event.Log:
		if r.state == pending {
			begin(preparing)
		}
		r.say(e.Message)
		r.message, r.parts = r.log[len(r.log)-1], nil // a build tells what it is at in no other way
	case event.Waiting:
		begin(waiting)
		r.message, r.current, r.total, r.parts = "", 0, 0, nil
	case event.Done:
		r.end(done, e)
	case event.Failed:
		r.end(failed, e)
		r.err = e.Error
	case event.Skipped:
		r.end(skipped, e)
		r.message = strings.TrimPrefix(e.Message, "skipped, ")
	}
}

func (r *row) progress(e event.Event) {
	if e.Message != r.message {
		r.share = 0
	}
	r.share = max(r.share, view.Share(e.Parts))
	r.message, r.current, r.total, r.parts = e.Message, e.Current, e.Total, e.Parts
}

func (r *row) end(s state, e event.Event) {
	r.state, r.seconds, r.message, r.current, r.total, r.parts = s, e.Seconds, "", 0, 0, nil
}
