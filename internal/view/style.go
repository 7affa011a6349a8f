// Package view writes what happened, and what is, for whoever reads it: lines for a person, JSON for a
// program. It lays out and colours; it asks nobody and decides nothing. The live view of a terminal is
// package tui.
package view

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// style colours text, or leaves it alone where color is off.
type style struct{ color bool }

// SGR parameters (ECMA-48 8.3.117).
const (
	bold    = "1"
	dim     = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
)

func (s style) paint(sgr, text string) string {
	if !s.color || sgr == "" || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// clean takes out of one line what would move a terminal's cursor or change its colours: words of containers
// and guests come by here.
func clean(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, ansi.Strip(line))
}

// Lines gives what is to be shown of text that came from elsewhere: its lines, cleaned, without empty ones
// at the end.
func Lines(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n \t"), "\n") {
		// A line that was rewritten in place, like a progress bar, is what it was last.
		line = strings.TrimSuffix(line, "\r")
		lines = append(lines, clean(line[strings.LastIndexByte(line, '\r')+1:]))
	}
	return lines
}

// Duration is seconds as a person reads them: "<0.1s", "0.2s", "41s", "3m05s".
func Duration(seconds float64) string {
	switch {
	case seconds < 0.05:
		return "<0.1s"
	case seconds < 9.95:
		return fmt.Sprintf("%.1fs", seconds)
	case seconds < 59.5:
		return fmt.Sprintf("%.0fs", seconds)
	default:
		s := int(seconds + 0.5)
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
}

// verb is an action's words: before it is done, after, and the sign that stands for it.
type verb struct{ doing, done, sign, sgr string }

var verbs = map[string]verb{
	"create":  {"creating", "created", "+", green},
	"update":  {"updating", "updated", "~", yellow},
	"replace": {"replacing", "replaced", "-/+", magenta},
	"delete":  {"deleting", "deleted", "-", red},
	"none":    {"checking", "unchanged", "=", dim},
	"apply":   {"applying", "applied", "+", green},
	"undo":    {"undoing", "undone", "-", red},
	"keep":    {"keeping", "kept", "=", dim},
}

// Doing gives the word for an action that goes on, "creating".
func Doing(action string) string { return verbOf(action).doing }

// Did gives the word for an action that is done, "created".
func Did(action string) string { return verbOf(action).done }

func verbOf(action string) verb {
	if v, ok := verbs[action]; ok {
		return v
	}
	return verb{"working", "done", "*", ""}
}
