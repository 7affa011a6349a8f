package composeimport

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"gopkg.in/yaml.v3"
)

// writer collects a spec's text, which is laid out when all is there.
type writer struct{ strings.Builder }

func (w *writer) raw(text string) { w.WriteString(text) }

func (w *writer) line(text string) { w.WriteString(text + "\n") }

func (w *writer) attr(name, expr string) { w.line(name + " = " + expr) }

// block writes a block with a body; an empty one stands on one line.
func (w *writer) block(header string, body func(*writer)) {
	inner := &writer{}
	body(inner)
	if inner.Len() == 0 {
		w.line(header + " {}")
		return
	}
	w.line(header + " {")
	w.raw(inner.String())
	w.line("}")
}

// comment writes text as comment lines.
func (w *writer) comment(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		for _, part := range wrap(line, 110) {
			w.line(strings.TrimRight("# "+clean(part), " "))
		}
	}
}

// left comments on something that is not carried over.
func (w *writer) left(text string) { w.comment(mark + text) }

// leftover comments on what a value still holds; one that holds nothing is passed over. It is read from
// the value's YAML, so that an attribute that this package has never heard of shows too.
func (w *writer) leftover(what string, value any) {
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		w.left(what + ": cannot be shown (" + err.Error() + ")")
		return
	}
	if empty(&n) {
		return
	}
	w.left(what + ": " + flow(&n))
}

// leftovers comments on each attribute that a value still holds, with the reason where one is known.
func (w *writer) leftovers(prefix string, value any, reasons map[string]string) {
	var n yaml.Node
	if err := n.Encode(value); err != nil || n.Kind != yaml.MappingNode {
		w.leftover(strings.TrimSuffix(prefix, "."), value)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i].Value, n.Content[i+1]
		if empty(v) {
			continue
		}
		text := prefix + key + ": " + flow(v)
		if why := reasons[key]; why != "" {
			text += " (" + why + ")"
		}
		w.left(text)
	}
}

// empty reports whether a node holds nothing that anybody wrote.
func empty(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Tag == "!!null" || n.Value == ""
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			if v := n.Content[i]; v.Kind == yaml.ScalarNode || !empty(v) {
				return false
			}
		}
		return true
	}
	return len(n.Content) == 0
}

// flow writes a node on one line.
func flow(n *yaml.Node) string {
	var style func(*yaml.Node)
	style = func(n *yaml.Node) {
		n.Style = yaml.FlowStyle
		if n.Kind == yaml.ScalarNode {
			n.Style = 0
			if strings.Contains(n.Value, "\n") {
				n.Style = yaml.DoubleQuotedStyle
			}
		}
		for _, c := range n.Content {
			style(c)
		}
	}
	style(n)
	out, err := yaml.Marshal(n)
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// wrap breaks a line at spaces.
func wrap(line string, width int) []string {
	var out []string
	for len(line) > width {
		at := strings.LastIndexByte(line[:width], ' ')
		if at <= 0 {
			if at = strings.IndexByte(line, ' '); at < 0 {
				break
			}
		}
		out = append(out, line[:at])
		line = strings.TrimPrefix(goesOn, "# ") + strings.TrimLeft(line[at:], " ")
		if strings.TrimSpace(line) == "" {
			return out
		}
		if strings.LastIndexByte(line[:min(width, len(line))], ' ') <= 1 && len(line) > width {
			break // one long word
		}
	}
	return append(out, line)
}

// clean takes out what would end a comment or mean something to a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// quote writes a string as the language does.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// key writes a map's key, bare where it can be.
func key(s string) string {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return quote(s)
		}
	}
	if s == "" || slices.Contains([]string{"for", "true", "false", "null"}, s) {
		return quote(s)
	}
	return s
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
