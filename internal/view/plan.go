package view

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

// Plan writes what a plan will do and why: a line an operation, below it the values that change and a Windows
// machine's stack of layers, then the sum. What stays as it is, is only counted.
func Plan(w io.Writer, p *plan.Plan, color bool) error {
	s := style{color}
	width := 0
	for _, op := range p.Operations {
		if op.Action == providers.None {
			continue
		}
		width = max(width, len(op.Addr.String()))
		for _, l := range op.Layers {
			width = max(width, len(l.Name)+layerIndent)
		}
	}
	var b bytes.Buffer
	for _, op := range p.Operations {
		if op.Action == providers.None {
			continue
		}
		s.operation(&b, "", string(op.Action), op.Addr.String(), op.Cause, width)
		s.values(&b, op.Values)
		for _, l := range op.Layers {
			s.operation(&b, strings.Repeat(" ", layerIndent), string(l.Action), l.Name, l.Cause, width-layerIndent)
			s.values(&b, l.Values)
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, s.paint(bold, Summary(p)))
	_, err := w.Write(b.Bytes())
	return err
}

const layerIndent = 4

func (s style) operation(b *bytes.Buffer, indent, action, name, cause string, width int) {
	v := verbOf(action)
	line := fmt.Sprintf("%s%s %-*s  %s", indent, s.paint(v.sgr, fmt.Sprintf("%3s", v.sign)), width, name, s.paint(v.sgr, fmt.Sprintf("%-7s", action)))
	if action == string(plan.Keep) {
		line = s.paint(dim, fmt.Sprintf("%s%3s %-*s  %s", indent, v.sign, width, name, action))
	}
	if cause != "" {
		line += "  " + s.paint(dim, one(cause))
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// values writes what changes as a column of names and what was before and will be.
func (s style) values(b *bytes.Buffer, values []plan.Value) {
	width := 0
	for _, v := range values {
		width = max(width, len(v.Name))
	}
	for _, v := range values {
		old, new := s.paint(red, one(v.Old)), s.paint(green, one(v.New))
		change := old + " → " + new
		switch {
		case v.Old == "":
			change = "+ " + new
		case v.New == "":
			change = "- " + old
		}
		fmt.Fprintf(b, "%s%-*s  %s\n", strings.Repeat(" ", layerIndent+4), width, v.Name, change)
	}
}

// one puts text on one line.
func one(text string) string { return strings.Join(Lines(text), " ") }

// Summary says in a line what a plan comes to.
func Summary(p *plan.Plan) string {
	if p.Changes() == 0 {
		return "Nothing to change: all that is in the spec is as it should be."
	}
	count := map[providers.Action]int{}
	for _, op := range p.Operations {
		count[op.Action]++
	}
	var parts []string
	for _, part := range []struct {
		action providers.Action
		words  string
	}{
		{providers.Create, "to create"}, {providers.Update, "to update"}, {providers.Replace, "to replace"},
		{providers.Delete, "to delete"}, {providers.None, "unchanged"},
	} {
		if n := count[part.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, part.words))
		}
	}
	return strings.Join(parts, ", ") + "."
}
