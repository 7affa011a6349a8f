package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/view"
)

// palette has the styles of one output. They are of the basic colours, which every terminal has and which its
// owner chose to be read on its background; what that is, is never asked.
type palette struct {
	title, dim, good, bad, warn, busy style
}

// newPalette gives styles that do nothing where there are to be no colours.
func newPalette(color bool) palette {
	if !color {
		return palette{}
	}
	return palette{title: "1", dim: "2", good: "32", bad: "31", warn: "33", busy: "36"}
}

// style is a parameter of SGR (ECMA-48 8.3.117); "" leaves text as it is.
type style string

func (s style) paint(text string) string {
	if s == "" || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[m"
}

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.live())
	v.DisableBracketedPasteMode = true // nothing is typed here
	return v
}

// live is what is on the screen while something goes on.
func (m *model) live() string {
	if m.finished {
		return "" // Run writes the final frame
	}
	head, foot := m.head(), m.foot()
	room := m.height - len(head) - len(foot) - 1
	return strings.Join(slices.Concat(head, m.fit(room), foot), "\n")
}

// fit gives the rows, fewer of them where they do not all go into the height: what fails and what goes on
// is seen longest.
func (m *model) fit(room int) []string {
	hidden := map[state]bool{}
	for _, s := range []state{-1, done, pending, skipped} {
		hidden[s] = true
		if lines := m.tree(hidden, false); len(lines) <= room {
			return lines
		}
	}
	lines := m.tree(hidden, true)
	if len(lines) > room {
		if room < 2 {
			return nil
		}
		more := len(lines) - room + 1
		lines = append(lines[:room-1], m.cut(m.paint.dim.paint(fmt.Sprintf("  … %d more lines", more))))
	}
	return lines
}

// tree gives the rows whose state is not hidden, layers below those that they belong to unless bare.
func (m *model) tree(hidden map[state]bool, bare bool) []string {
	width := m.nameWidth()
	var lines []string
	for _, r := range m.rows {
		if hidden[r.state] {
			continue
		}
		lines = append(lines, m.line(r, "", width))
		if bare {
			continue
		}
		if r.state != done {
			for _, l := range r.layers[max(0, len(r.layers)-m.layerRoom(r)):] {
				lines = append(lines, m.line(l, "  ", width-2))
			}
			lines = append(lines, m.moving(r)...)
		}
		lines = append(lines, m.failure(r)...)
	}
	return lines
}

// layerRoom is how many layers of a machine are shown: the last few while it works, all once it failed.
func (m *model) layerRoom(r *row) int {
	if r.state == failed {
		return len(r.layers)
	}
	return 6
}

func (m *model) nameWidth() int {
	width := 0
	for _, r := range m.rows {
		width = max(width, ansi.StringWidth(r.name))
	}
	return max(8, min(width, m.width/2-4))
}

func (m *model) head() []string {
	return []string{m.cut(m.paint.title.paint(m.title))}
}

func (m *model) foot() []string {
	var ended, bad int
	for _, r := range m.rows {
		switch r.state {
		case done:
			ended++
		case failed, skipped:
			bad++
		}
	}
	text := fmt.Sprintf("%d of %d done", ended, len(m.rows))
	if bad > 0 {
		text += fmt.Sprintf(", %d failed or skipped", bad)
	}
	lines := []string{m.cut(m.paint.dim.paint(text + ", " + view.Duration(m.now.Sub(m.began).Seconds())))}
	switch {
	case m.pressed == 1:
		lines = append(lines, m.cut(m.paint.warn.paint("Stopping: finishing what runs. Press Ctrl-C again to stop now.")))
	case m.pressed > 1:
		lines = append(lines, m.cut(m.paint.warn.paint("Stopping now.")))
	}
	return lines
}

// final is what stays on the screen: every row that something happened to, failures with all that is known
// of them, warnings.
func (m *model) final() string {
	width := m.nameWidth()
	lines := m.head()
	unchanged := 0
	for _, r := range m.rows {
		if r.state == done && r.action == "none" {
			unchanged++
			continue
		}
		lines = append(lines, m.line(r, "", width))
		if r.state == failed {
			for _, l := range r.layers {
				lines = append(lines, m.line(l, "  ", width-2))
			}
		}
		lines = append(lines, m.failure(r)...)
	}
	if unchanged > 0 {
		lines = append(lines, m.paint.dim.paint(fmt.Sprintf("= %d unchanged", unchanged)))
	}
	for _, w := range m.warnings {
		for i, line := range view.Lines(w) {
			mark := "! "
			if i > 0 {
				mark = "  "
			}
			lines = append(lines, m.paint.warn.paint(mark)+line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// failure gives what a failed row and its layers have to say, indented. It is not cut: the terminal wraps it.
func (m *model) failure(r *row) []string {
	if r.state != failed {
		return nil
	}
	var lines []string
	for _, line := range view.Lines(r.err) {
		lines = append(lines, "    "+m.paint.bad.paint(line))
	}
	for _, line := range r.log {
		lines = append(lines, "    "+m.paint.dim.paint("| "+line))
	}
	for _, l := range r.layers {
		if l.err != r.err { // the machine's own error often is its layer's
			lines = append(lines, m.failure(l)...)
		}
	}
	if !m.finished {
		for i, line := range lines {
			lines[i] = m.cut(line)
		}
	}
	return lines
}

func (r *row) say(text string) {
	r.log = append(r.log, view.Lines(text)...)
	r.log = r.log[max(0, len(r.log)-logLines):]
}

// line is one row, never wider than the terminal: mark, name, what it does, and at the right how long.
func (m *model) line(r *row, indent string, width int) string {
	mark, word, style := m.look(r)
	took := ""
	switch {
	case r.state.going():
		took = view.Duration(max(0, m.now.Sub(r.began).Seconds()))
	case r.seconds >= 0.05:
		took = view.Duration(r.seconds)
	}
	name := ansi.Truncate(r.name, width, "…")
	left := indent + style.paint(mark) + " " + pad(name, width) + "  " + style.paint(word)
	if word == "" {
		return m.cut(indent + style.paint(mark) + " " + name)
	}
	if detail := m.detail(r); detail != "" {
		left += strings.Repeat(" ", max(0, 9-ansi.StringWidth(word))) + "  " + detail
	}
	room := m.width - ansi.StringWidth(took) - 2
	if took == "" || room < width+12 {
		return m.cut(left)
	}
	return pad(ansi.Truncate(left, room, "…"), room) + "  " + m.paint.dim.paint(took)
}

// spinner are the signs that stand, one after the other, before what goes on.
var spinner = [...]rune{'⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'}

func (m *model) look(r *row) (mark, word string, style style) {
	turning := string(spinner[m.frame%len(spinner)])
	if m.finished && r.state.going() {
		return "-", "cut short", m.paint.warn
	}
	switch r.state {
	case preparing:
		return turning, "preparing", m.paint.busy
	case working:
		return turning, view.Doing(r.action), m.paint.busy
	case waiting:
		return turning, "waiting", m.paint.busy
	case done:
		if r.action == "none" {
			return "=", view.Did(r.action), m.paint.dim
		}
		return "✓", view.Did(r.action), m.paint.good
	case failed:
		return "✗", "failed", m.paint.bad
	case skipped:
		return "-", "skipped", m.paint.warn
	}
	if m.finished {
		return "·", "not begun", m.paint.dim
	}
	return "·", "", m.paint.dim
}

// barWidth is that of a progress bar, in columns.
const barWidth = 16

func (m *model) detail(r *row) string {
	detail := ""
	switch {
	case len(r.parts) > 0:
		return m.bar(r.share) + m.paint.dim.paint(view.Parts(r.parts)+"  "+strings.Join(view.Lines(r.message), " "))
	case r.total > 0:
		detail = m.bar(float64(r.current) / float64(r.total))
	}
	if r.message != "" {
		detail += m.paint.dim.paint(strings.Join(view.Lines(r.message), " "))
	}
	return detail
}

// bar shows a share of 1; nothing where there is no room.
func (m *model) bar(share float64) string {
	if m.width < 60 {
		return ""
	}
	share = min(1, max(0, share))
	full := int(share*barWidth + 0.5)
	return m.paint.busy.paint(strings.Repeat("━", full)) + m.paint.dim.paint(strings.Repeat("─", barWidth-full)) +
		fmt.Sprintf(" %3.0f%%  ", share*100)
}

// mostParts is how many layers of an image are shown at once.
const mostParts = 5

// moving gives the layers of a row's image on which something happens; the others are in its own line, counted.
func (m *model) moving(r *row) []string {
	var lines []string
	for _, p := range r.parts {
		if p.State != event.PartDownloading && p.State != event.PartUnpacking || len(lines) == mostParts {
			continue
		}
		text := "    " + pad(ansi.Truncate(p.Name, 12, ""), 12) + "  "
		if p.Current > 0 && p.Total > 0 {
			text += m.bar(float64(p.Current) / float64(p.Total))
		}
		text += p.State
		if p.Total > 0 {
			text += " " + view.Size(p.Total)
		}
		lines = append(lines, m.cut(text))
	}
	return lines
}

func (m *model) cut(line string) string { return ansi.Truncate(line, m.width, "…") }

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}
