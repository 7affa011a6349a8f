package view

import (
	"bufio"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff writes how old and new differ, as a unified diff of lines; nothing where they are the same.
func Diff(w io.Writer, oldName, newName string, old, new []byte, color bool) error {
	s := style{color}
	b := bufio.NewWriter(w)
	// The first line names diff's own command, which nobody ran.
	_, text, _ := strings.Cut(string(diff.Diff(oldName, old, newName, new)), "\n")
	for line := range strings.Lines(text) {
		sgr := ""
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
			sgr = bold
		case strings.HasPrefix(line, "@@"):
			sgr = dim
		case strings.HasPrefix(line, "+"):
			sgr = green
		case strings.HasPrefix(line, "-"):
			sgr = red
		}
		if _, err := b.WriteString(s.paint(sgr, strings.TrimSuffix(line, "\n")) + "\n"); err != nil {
			return err
		}
	}
	return b.Flush()
}
