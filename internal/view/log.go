package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/addr"
)

// LogLine is one line that a resource printed. It is also what a program reads.
type LogLine struct {
	Format  int       `json:"format,omitempty"` // in the first line alone
	Time    time.Time `json:"time"`
	Address addr.Addr `json:"address"`
	Stream  string    `json:"stream"` // "stdout" or "stderr"
	Line    string    `json:"line"`
}

// Log writes the lines of several resources, each behind its resource's name. It is for one goroutine.
type Log struct {
	Out io.Writer
	// JSON writes an object a line instead.
	JSON bool
	// Times are written before each line, in the local zone.
	Times bool

	style
	width int
	sgr   map[addr.Addr]string
	wrote bool
}

// logColors are those in which one name is told from the next.
var logColors = []string{"36", "33", "32", "35", "34", "96", "93", "92", "95", "94"}

// NewLog gives a Log for what these resources print. With color each has its own.
func NewLog(w io.Writer, addrs []addr.Addr, color bool) *Log {
	l := &Log{Out: w, style: style{color}, sgr: map[addr.Addr]string{}}
	for i, a := range addrs {
		l.width = max(l.width, len(a.String()))
		l.sgr[a] = logColors[i%len(logColors)]
	}
	return l
}

// Write writes one line.
func (l *Log) Write(line LogLine) error {
	if l.JSON {
		if !l.wrote {
			line.Format = Format
		}
		l.wrote = true
		return json.NewEncoder(l.Out).Encode(line)
	}
	text := line.Line
	if l.color && strings.Contains(text, "\x1b") {
		text += "\x1b[0m" // a colour that a line leaves on ends with it
	}
	at := ""
	if l.Times {
		at = l.paint(dim, line.Time.Local().Format("2006-01-02T15:04:05.000Z07:00")) + "  "
	}
	_, err := fmt.Fprintf(l.Out, "%s  %s%s\n", l.paint(l.sgr[line.Address], fmt.Sprintf("%-*s", l.width, line.Address)), at, text)
	return err
}
