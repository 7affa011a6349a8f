package envspec

import (
	"fmt"
	"strings"
)

// Reference gives every block and argument of the language as Markdown, from the table that decodes
// them: docs/reference.md.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Every block and argument\n\n" +
		"Made from the table that envctl reads specs by (`go test ./envspec -run Reference -update`). What the parts mean together is in [language.md](language.md).\n\n" +
		"*Static* arguments decide what exists: they take variables, functions, and locals without addresses.\n")
	for _, blk := range language().Blocks {
		writeBlock(&b, blk, nil)
	}
	b.WriteString("\n## Functions\n\n")
	s := newSpec(LoadOptions{})
	for i, name := range names(s.functions(&scope{spec: s, dir: s.Dir})) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("`" + name + "`")
	}
	b.WriteString(".\n\nBeside these an expression has `path.spec`, the folder of the file that it is in, and in a block with `for_each`, `each.key` and `each.value`.\n")
	return b.String()
}

func writeBlock(b *strings.Builder, blk *block, around []string) {
	path := append(around[:len(around):len(around)], blk.Name)
	fmt.Fprintf(b, "\n%s %s\n\n", strings.Repeat("#", len(path)+1), strings.Join(path, " › "))
	fmt.Fprintf(b, "`%s`%s. %s\n", blk.heading(), blk.occurs(len(path)), blk.Doc)
	if blk.Later {
		b.WriteString("Not available yet.\n")
	}
	for _, set := range blk.ExactlyOne {
		fmt.Fprintf(b, "Needs exactly one of %s.\n", code(set))
	}
	for _, set := range blk.AtMostOne {
		fmt.Fprintf(b, "Takes at most one of %s.\n", code(set))
	}
	if blk.Free {
		b.WriteString("Takes arguments of any name.\n")
	}
	if len(blk.Attrs) > 0 {
		b.WriteString("\n| argument | takes | |\n|---|---|---|\n")
		for _, a := range blk.Attrs {
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", a.Name, cell(a.takes(blk.Static)), cell(a.Doc))
		}
	}
	if blk.Example != "" {
		fmt.Fprintf(b, "\n```hcl\n%s```\n", blk.Example)
	}
	for _, c := range blk.Blocks {
		writeBlock(b, c, path)
	}
}

// heading shows a block's head as it is written.
func (b *block) heading() string {
	head := b.Name
	for i, l := range b.Labels {
		switch {
		case len(b.LabelEnum) > 0 && i == 0:
			head += ` "` + strings.Join(b.LabelEnum, `"|"`) + `"`
		case b.OptionalLabel:
			head += ` ["` + strings.ToUpper(l) + `"]`
		default:
			head += ` "` + strings.ToUpper(l) + `"`
		}
	}
	return head + " { … }"
}

func (b *block) occurs(depth int) string {
	switch {
	case b.Required:
		return ", once"
	case b.Max == 1:
		return ", at most once"
	case depth == 1:
		return ""
	}
	return ", any number"
}

// takes says what an argument takes.
func (a *attribute) takes(static bool) string {
	parts := []string{a.Type.describe()}
	if len(a.Enum) > 0 {
		parts = []string{"`\"" + strings.Join(a.Enum, "\"`, `\"") + "\"`"}
	}
	if a.Required {
		parts = append(parts, "required")
	}
	if (a.Static || static) && !a.Literal {
		parts = append(parts, "*static*")
	}
	switch a.Type {
	case textValue, textsValue, registryValues:
		parts = append(parts, "may be secret")
	}
	return strings.Join(parts, "; ")
}

func code(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "`" + n + "`"
	}
	return strings.Join(quoted, ", ")
}

// cell makes text safe inside a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
