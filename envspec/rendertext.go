package envspec

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/mitchellh/go-wordwrap"
)

const (
	colourOff    = "\x1b[0m"
	colourBold   = "\x1b[1m"
	colourRed    = "\x1b[1;31m"
	colourYellow = "\x1b[1;33m"
)

// WriteDiagnostics writes diagnostics for people: what, where, the source line with the range
// underlined, and what to do. Width bounds the words, 0 not at all; the source is never wrapped.
func WriteDiagnostics(w io.Writer, sources map[string]*hcl.File, diags hcl.Diagnostics, width int, color bool) error {
	var b bytes.Buffer
	for i, d := range diags {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeDiagnostic(&b, sources, d, width, color)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

func writeDiagnostic(b *bytes.Buffer, sources map[string]*hcl.File, d *hcl.Diagnostic, width int, color bool) {
	severity, tint := "Error", colourRed
	if d.Severity == hcl.DiagWarning {
		severity, tint = "Warning", colourYellow
	}
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return code + s + colourOff
	}
	fmt.Fprintf(b, "%s %s\n", paint(tint, severity+":"), paint(colourBold, d.Summary))
	if d.Subject != nil {
		fmt.Fprintf(b, "\n  on %s line %d:\n", d.Subject.Filename, d.Subject.Start.Line)
		if f := sources[d.Subject.Filename]; f != nil {
			writeSource(b, f.Bytes, *d.Subject, func(s string) string { return paint(tint, s) })
		}
	}
	b.WriteByte('\n')
	for line := range strings.SplitSeq(strings.TrimRight(d.Detail, "\n"), "\n") {
		if width > 2 && !strings.HasPrefix(line, "  ") {
			line = wordwrap.WrapString(line, uint(width-2))
		}
		for part := range strings.SplitSeq(line, "\n") {
			b.WriteString("  " + part + "\n")
		}
	}
}

// writeSource writes the range's first line and a line that underlines it.
func writeSource(b *bytes.Buffer, src []byte, r hcl.Range, paint func(string) string) {
	if r.Start.Byte > len(src) {
		return
	}
	begin := bytes.LastIndexByte(src[:r.Start.Byte], '\n') + 1
	line := src[begin:]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	line = bytes.TrimRight(line, "\r")
	from := min(r.Start.Byte-begin, len(line))
	to := min(max(r.End.Byte-begin, from), len(line))
	number := fmt.Sprintf("%4d", r.Start.Line)
	fmt.Fprintf(b, "%s │ %s\n", number, strings.ReplaceAll(maskURLs(string(line)), "\t", "    "))
	pad := strings.Repeat(" ", cells(line[:from]))
	fmt.Fprintf(b, "%s │ %s%s\n", strings.Repeat(" ", len(number)), pad, paint(strings.Repeat("^", max(1, cells(line[from:to])))))
}

// cells counts the columns of text, a tab as four.
func cells(text []byte) int { return utf8.RuneCount(text) + 3*bytes.Count(text, []byte("\t")) }
