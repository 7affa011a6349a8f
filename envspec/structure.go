package envspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/envctl/envctl/internal/near"
)

// checkStructure holds a body to the language's table: names, labels, what must and may not
// stand together. What is in the arguments is looked at later.
func checkStructure(body *hclsyntax.Body, s *block, at hcl.Range, title string) hcl.Diagnostics {
	var diags hcl.Diagnostics
	given, meant := map[string]hcl.Range{}, meanings{}
	for _, a := range sortedAttrs(body.Attributes) {
		given[a.Name] = a.NameRange
		if s.Free || s.attr(a.Name) != nil {
			continue
		}
		diags = append(diags, unknownAttribute(a, s, title))
		delete(given, a.Name)
		meant.add(a.Name, s)
	}
	diags = append(diags, checkBlocks(body, s, title, given, meant)...)
	return append(diags, checkTogether(s, at, title, given, meant)...)
}

// meanings are the names that misspelt ones probably stand for: they are not reported as missing too.
type meanings map[string]bool

func (m meanings) add(given string, s *block) {
	if name := s.foreign(given); name != "" {
		m[name] = true
	}
	m[near.Of(given, append(s.attrNames(), s.blockNames()...))] = true
	m[given] = true
}

func unknownAttribute(a *hclsyntax.Attribute, s *block, title string) *hcl.Diagnostic {
	if s.block(a.Name) != nil {
		return fault(CodeUnknownAttribute, a.NameRange, "A block is written without \"=\"",
			"In %s, %q is a block: write %s without the equals sign.", title, a.Name, s.block(a.Name).sketch())
	}
	names := append(s.attrNames(), s.blockNames()...)
	if note := s.note(a.Name); note != "" {
		return fault(CodeUnknownAttribute, a.NameRange, "Unknown argument", "%s has no argument %q. %s", title, a.Name, note)
	}
	if hint := didYouMean(a.Name, names); hint != "" {
		return fault(CodeUnknownAttribute, a.NameRange, "Unknown argument", "%s has no argument %q.%s", title, a.Name, hint)
	}
	if len(s.Attrs) == 0 {
		return fault(CodeUnknownAttribute, a.NameRange, "Unknown argument", "%s takes no arguments.", title)
	}
	if s.Name == "template" {
		return fault(CodeUnknownAttribute, a.NameRange, "Unknown argument", "%s has no argument %q. It takes %s; an input stands in inputs { %s = … }.", title, a.Name, list(s.attrNames(), "and"), a.Name)
	}
	return fault(CodeUnknownAttribute, a.NameRange, "Unknown argument", "%s has no argument %q. It takes %s.", title, a.Name, list(s.attrNames(), "and"))
}

func checkBlocks(body *hclsyntax.Body, s *block, title string, given map[string]hcl.Range, meant meanings) hcl.Diagnostics {
	var diags hcl.Diagnostics
	count := map[string]int{}
	first := map[string]hcl.Range{} // by type and label
	for _, b := range body.Blocks {
		kind, inner := s.block(b.Type), b.Body
		if b.Type == "dynamic" && len(s.Blocks) > 0 && !s.isFile() {
			var ds hcl.Diagnostics
			kind, inner, ds = checkDynamic(b, s, title)
			diags = append(diags, ds...)
			if kind != nil && inner != nil {
				given[kind.Name] = b.TypeRange
				diags = append(diags, checkStructure(inner, kind, b.DefRange(), "the content of "+blockTitle("dynamic", b.Labels))...)
			}
			continue
		}
		if kind == nil {
			diags = append(diags, unknownBlock(b, s, title))
			meant.add(b.Type, s)
			continue
		}
		given[b.Type] = b.TypeRange
		diags = append(diags, checkLabels(b, kind)...)
		if len(b.Labels) == 0 && len(kind.Labels) > 0 && kind.attr("name") == nil {
			delete(b.Body.Attributes, "name") // checkLabels said where a name stands
		}
		count[b.Type]++
		if kind.Max > 0 && count[b.Type] > kind.Max && !s.isFile() {
			diags = append(diags, fault(CodeDuplicate, b.DefRange(), "Duplicate block",
				"%s takes one %q block; the first is at %s.", title, b.Type, place(first[b.Type])))
		} else if len(b.Labels) > 0 && !s.isFile() {
			key := b.Type + "\x00" + strings.ToLower(b.Labels[0])
			if before, ok := first[key]; ok {
				diags = append(diags, fault(CodeDuplicate, b.DefRange(), "Duplicate name",
					"%s already has %s, at %s. %s", title, blockTitle(b.Type, b.Labels), place(before), kind.another()))
			} else {
				first[key] = b.TypeRange
			}
		}
		if _, ok := first[b.Type]; !ok {
			first[b.Type] = b.TypeRange
		}
		if s.Name == "dynamic" {
			continue // the content is checked as the kind of block that it makes
		}
		diags = append(diags, checkStructure(inner, kind, b.DefRange(), blockTitle(b.Type, b.Labels))...)
	}
	return diags
}

func (b *block) isFile() bool { return b.Name == "file" && len(b.Labels) == 0 }

func unknownBlock(b *hclsyntax.Block, s *block, title string) *hcl.Diagnostic {
	if s.attr(b.Type) != nil {
		return fault(CodeUnknownBlock, b.TypeRange, "An argument needs \"=\"",
			"In %s, %q is an argument: write %s = … with an equals sign.", title, b.Type, b.Type)
	}
	names := append(s.blockNames(), s.attrNames()...)
	if note := s.note(b.Type); note != "" {
		return fault(CodeUnknownBlock, b.TypeRange, "Unknown block", "%s has no block %q. %s", title, b.Type, note)
	}
	if hint := didYouMean(b.Type, names); hint != "" {
		return fault(CodeUnknownBlock, b.TypeRange, "Unknown block", "%s has no block %q.%s", title, b.Type, hint)
	}
	if len(s.Blocks) == 0 {
		return fault(CodeUnknownBlock, b.TypeRange, "Unknown block", "%s takes no blocks.", title)
	}
	return fault(CodeUnknownBlock, b.TypeRange, "Unknown block", "%s has no block %q. It takes %s.", title, b.Type, list(s.blockNames(), "and"))
}

// note says what to write for what another tool, or another block, has under a name; "" where nothing is known.
func (b *block) note(name string) string {
	if said := b.Absent[name]; said != "" {
		return said
	}
	if here := b.foreign(name); here != "" {
		return "What comes nearest is " + b.sketch1(here) + "."
	}
	other := map[string]func() *block{"container": windowsBlock, "job": windowsBlock, "windows": containerBlock}[b.Name]
	if other == nil || near.Of(name, append(b.attrNames(), b.blockNames()...)) != "" {
		return ""
	}
	if o := other(); o.attr(name) != nil || o.block(name) != nil {
		return "That stands in " + withArticle(o.Name) + " block."
	}
	return ""
}

// withArticle puts "a" or "an" before a word.
func withArticle(word string) string {
	if word != "" && strings.Contains("aeio", word[:1]) {
		return "an " + word
	}
	return "a " + word
}

// another says what to do about two blocks of one label: where the label is the name of something outside
// the spec, there cannot be another.
func (b *block) another() string {
	switch {
	case len(b.Labels) > 0 && b.Labels[0] != "name", b.Name == "service", b.Name == "user", b.Name == "feature":
		return "Put what they say into one block."
	}
	return "Give one of them another name."
}

// sketch shows how a block is written.
func (b *block) sketch() string {
	if len(b.Labels) > 0 && !b.OptionalLabel {
		return b.Name + " \"" + strings.ToUpper(b.Labels[0]) + "\" { … }"
	}
	return b.Name + " { … }"
}

// sketch1 shows how what stands in b under a name is written.
func (b *block) sketch1(name string) string {
	if c := b.block(name); c != nil {
		return c.sketch()
	}
	return name + " = …"
}

// checkLabels checks how many labels a block has and, where the table limits them, which.
func checkLabels(b *hclsyntax.Block, kind *block) hcl.Diagnostics {
	want := len(kind.Labels)
	switch {
	case len(b.Labels) > want:
		extra := b.LabelRanges[want]
		if want == 0 {
			return hcl.Diagnostics{fault(CodeName, extra, "Too many labels", "%s block has no label: write %s { … }.", upperFirst(withArticle(b.Type)), b.Type)}
		}
		return hcl.Diagnostics{fault(CodeName, extra, "Too many labels", "%s block has one label, its %s.", upperFirst(withArticle(b.Type)), kind.Labels[0])}
	case len(b.Labels) < want && !kind.OptionalLabel:
		name := "…"
		if a := b.Body.Attributes["name"]; a != nil && kind.attr("name") == nil {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() {
				name, _ = plainString(v)
			}
		}
		return hcl.Diagnostics{fault(CodeName, b.TypeRange, "A label is missing",
			"%s block has a label, its %s: write %s %q { … }.", upperFirst(withArticle(b.Type)), kind.Labels[0], b.Type, name)}
	case len(b.Labels) > 0 && b.Labels[0] == "":
		return hcl.Diagnostics{fault(CodeName, b.LabelRanges[0], "An empty label", "The %s of %s block cannot be empty.", kind.Labels[0], withArticle(b.Type))}
	case len(b.Labels) > 0 && strings.ContainsAny(b.Labels[0], "\t\r\n"):
		return hcl.Diagnostics{singleBackslash(CodeName, b.LabelRanges[0], unescaped.Replace(b.Labels[0]))}
	case len(b.Labels) > 0 && len(kind.LabelEnum) > 0 && !slices.Contains(kind.LabelEnum, b.Labels[0]):
		return hcl.Diagnostics{fault(CodeValue, b.LabelRanges[0], "Unknown "+kind.Name,
			"%q is not a %s.%s It is one of %s.", b.Labels[0], kind.Name, didYouMean(b.Labels[0], kind.LabelEnum), list(kind.LabelEnum, "or"))}
	}
	return nil
}

// checkTogether checks what must be there and what excludes each other.
func checkTogether(s *block, at hcl.Range, title string, given map[string]hcl.Range, meant meanings) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, a := range s.Attrs {
		if _, ok := given[a.Name]; a.Required && !ok && !meant[a.Name] {
			diags = append(diags, fault(CodeMissing, at, "A required argument is missing", "%s needs %q: %s", title, a.Name, lowerFirst(a.Doc)))
		}
	}
	for _, b := range s.Blocks {
		if _, ok := given[b.Name]; b.Required && !ok && !meant[b.Name] {
			diags = append(diags, fault(CodeMissing, at, "A required block is missing", "%s needs a %q block: %s", title, b.Name, lowerFirst(b.Doc)))
		}
	}
	for _, set := range s.ExactlyOne {
		if here := present(set, given); len(here) == 0 && !slices.ContainsFunc(set, func(n string) bool { return meant[n] }) {
			diags = append(diags, fault(CodeMissing, at, "Something is missing", "%s needs one of %s.", title, list(set, "or")))
		} else if len(here) > 1 {
			diags = append(diags, fault(CodeConflict, given[here[1]], "These exclude each other", "%s takes only one of %s; %q is at %s.", title, list(set, "and"), here[0], place(given[here[0]])))
		}
	}
	for _, set := range s.AtMostOne {
		if here := present(set, given); len(here) > 1 {
			diags = append(diags, fault(CodeConflict, given[here[1]], "These exclude each other", "%s takes only one of %s; %q is at %s.", title, list(set, "and"), here[0], place(given[here[0]])))
		}
	}
	return diags
}

// present gives the names of a set that are there, in the order of the source.
func present(set []string, given map[string]hcl.Range) []string {
	here := slices.DeleteFunc(slices.Clone(set), func(n string) bool { _, ok := given[n]; return !ok })
	slices.SortFunc(here, func(a, b string) int { return given[a].Start.Byte - given[b].Start.Byte })
	return here
}

// checkDynamic checks a dynamic block and gives the kind of block it makes and its content.
func checkDynamic(b *hclsyntax.Block, s *block, title string) (*block, *hclsyntax.Body, hcl.Diagnostics) {
	if len(b.Labels) != 1 {
		return nil, nil, hcl.Diagnostics{fault(CodeName, b.TypeRange, "A label is missing", "A dynamic block's label says which blocks it makes: write dynamic \"port\" { … }.")}
	}
	kind := s.block(b.Labels[0])
	if kind == nil && s.attr(b.Labels[0]) != nil {
		return nil, nil, hcl.Diagnostics{fault(CodeUnknownBlock, b.LabelRanges[0], "Not a block",
			"In %s, %q is an argument, and dynamic makes blocks. A for expression makes a map or a list: { for k, v in … : k => v }.", title, b.Labels[0])}
	}
	if kind == nil {
		return nil, nil, hcl.Diagnostics{fault(CodeUnknownBlock, b.LabelRanges[0], "Unknown block",
			"%s has no block %q.%s", title, b.Labels[0], choices(b.Labels[0], s.blockNames()))}
	}
	var content *hclsyntax.Body
	for _, c := range b.Body.Blocks {
		if c.Type == "content" {
			content = c.Body
		}
	}
	return kind, content, checkStructure(b.Body, dynamicBlock(kind), b.DefRange(), blockTitle("dynamic", b.Labels))
}

// dynamicBlock is what may stand in a dynamic block that makes kind.
func dynamicBlock(kind *block) *block {
	d := &block{
		Name: "dynamic",
		Attrs: []attribute{
			{Name: "for_each", Type: anyValue, Required: true, Static: kind.Static, Doc: "what to go over."},
			{Name: "iterator", Type: anyValue, Literal: true},
			{Name: "labels", Type: stringsValue, Required: len(kind.Labels) > 0 && !kind.OptionalLabel, Static: kind.Static,
				Doc: "a list with the label of each block, such as [" + kind.Name + ".key]."},
		},
		Blocks: []*block{{Name: "content", Max: 1, Required: true, Free: true, Doc: "what each block holds."}},
	}
	return d
}

func sortedAttrs(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	out := make([]*hclsyntax.Attribute, 0, len(attrs))
	for _, a := range attrs {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	return out
}

// blockTitle names a block as it is written: container "db".
func blockTitle(kind string, labels []string) string {
	var b strings.Builder
	b.WriteString(kind)
	for _, l := range labels {
		fmt.Fprintf(&b, " %q", l)
	}
	return b.String()
}
