package view

import (
	"bytes"
	"io"
	"slices"

	"github.com/charmbracelet/x/ansi"
)

// Check is one thing that was looked at.
type Check struct {
	Name    string `json:"name"` // the kind of check: "wire"
	Subject string `json:"subject"`
	OK      bool   `json:"ok"`
	Detail  string `json:"detail"`
	Hint    string `json:"hint"` // what to do next
}

// Checks writes checks a line each, under a heading for each kind in the order of kinds, and under what is
// broken what to do. Where colour is on there are signs, and else words.
func Checks(w io.Writer, checks []Check, kinds []string, headings map[string]string, color bool) error {
	s := style{color}
	good, bad := "ok  ", "FAIL"
	if color {
		good, bad = s.paint(green, "✓"), s.paint(red, "✗")
	}
	width := 0
	for _, c := range checks {
		width = max(width, ansi.StringWidth(clean(c.Subject)))
	}
	var b bytes.Buffer
	for _, kind := range kinds {
		of := slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.Name != kind })
		if len(of) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(s.paint(bold, headings[kind]) + "\n")
		for _, c := range of {
			mark := good
			if !c.OK {
				mark = bad
			}
			subject := clean(c.Subject)
			b.WriteString("  " + mark + "  " + subject)
			pad := bytes.Repeat([]byte(" "), width-ansi.StringWidth(subject)+2)
			for i, line := range Lines(c.Detail) {
				if i > 0 {
					b.WriteString("\n        ")
				} else if line != "" {
					b.Write(pad)
				}
				b.WriteString(line)
			}
			b.WriteByte('\n')
			if c.Hint != "" {
				b.WriteString("        " + s.paint(yellow, "-> "+clean(c.Hint)) + "\n")
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
