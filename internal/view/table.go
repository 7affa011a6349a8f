package view

import (
	"bytes"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Table writes rows in columns; the first row is the heading. A cell that is the word for a state has its
// colour. Rows may be of different lengths.
func Table(w io.Writer, rows [][]string, color bool) error {
	s := style{color}
	cells := make([][]string, len(rows))
	var widths []int
	for r, row := range rows {
		for i, text := range row {
			text = strings.Join(Lines(text), " ")
			cells[r] = append(cells[r], text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(text))
		}
	}
	var b bytes.Buffer
	for r, row := range cells {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		for i, text := range row {
			sgr := stateColors[text]
			if r == 0 {
				sgr = dim
			}
			b.WriteString(s.paint(sgr, text))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(text)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

var stateColors = map[string]string{
	"ready": green, "up": green,
	"starting": yellow, "connecting": yellow,
	"failed": red, "missing": red, "unreachable": red, "down": red,
	"stopped": dim,
}
