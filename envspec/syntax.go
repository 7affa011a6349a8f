package envspec

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// firstOfEach drops syntax errors that only follow from the one before: of the same kind, or on
// the same line.
func firstOfEach(src []byte, diags hcl.Diagnostics) hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range diags {
		if n := len(out); n > 0 && d.Subject != nil && out[n-1].Subject != nil &&
			(out[n-1].Summary == d.Summary || out[n-1].Subject.Start.Line == d.Subject.Start.Line) {
			continue
		}
		explainSyntax(d, src)
		out = append(out, d)
	}
	return out
}

var (
	yamlLine     = lazyregexp.New(`^\s*(- )?[A-Za-z_][\w.-]*:(\s|$)`)
	bareText     = lazyregexp.New(`^\s*([\w-]+)\s*=\s*([A-Za-z./][^"\s{}()\[\]]*)\s*(?:#.*|//.*)?$`)
	heredocs     = lazyregexp.New(`(?m)<<-?([A-Za-z_]\w*)[ \t]*\r?$`)
	shellDefault = lazyregexp.New(`\$\{\s*([A-Za-z_]\w*):?([-?+])`)
)

// explainSyntax says of what HCL cannot read what a person meant who knows another language, or Windows' paths.
func explainSyntax(d *hcl.Diagnostic, src []byte) {
	if d.Subject == nil {
		return
	}
	line := sourceLine(src, d.Subject.Start.Byte)
	switch d.Summary {
	case "Argument or block definition required":
		switch {
		case d.Subject.Start.Line == 1:
			d.Detail += " If this is YAML: a spec is written in HCL, a service as container \"NAME\" { image = \"…\" }."
		case yamlLine.MatchString(line):
			d.Detail = "An argument is written with \"=\" and not with \":\", as in image = \"nginx\"; and what is inside something stands in braces."
		}
	case "Invalid escape sequence":
		if end := min(d.Subject.End.Byte, len(src)); d.Subject.Start.Byte < end && src[d.Subject.Start.Byte] == '\\' {
			d.Detail = fmt.Sprintf("A backslash begins an escape such as \\n, and %s is none. A backslash itself is written twice: \"HKLM\\\\SOFTWARE\", \"C:\\\\PAS\".", src[d.Subject.Start.Byte:end])
		}
	case "Invalid multi-line string":
		d.Detail = "A string in quotes ends on the line that it begins on: its closing \" is missing here. A text of several lines stands between <<-EOT and EOT, or has \\n in it."
	case "Missing newline after argument":
		if m := bareText.FindStringSubmatch(line); m != nil {
			d.Detail = fmt.Sprintf("An argument ends with its line. Text stands in quotes: %s = %q.", m[1], m[2])
		}
	case "Invalid character":
		if at := d.Subject.Start.Byte; at < len(src) && src[at] == '$' {
			d.Detail = "Text stands in quotes, with ${…} in it for an expression; a variable of the host's environment is env(\"NAME\")."
		}
	case "Invalid single-argument block definition":
		if strings.Contains(d.Detail, "only one argument") {
			d.Detail = "A block on one line holds one argument. Write each on a line of its own, and { and } too."
		}
	case "Unterminated template string":
		if at, mark, ok := openHeredoc(src, d.Subject.Filename); ok {
			d.Subject = &at
			d.Detail = fmt.Sprintf("The text that begins here ends with a line that holds %s alone, and there is none.", mark)
		}
	case "Extra characters after interpolation expression":
		if m := shellDefault.FindStringSubmatch(line); m != nil {
			d.Detail = fmt.Sprintf("${…} holds an expression of the spec, not of a shell. A variable of the host's environment with a default is ${env(%q, \"…\")}; text that has ${ itself is written $${.", m[1])
		}
	}
}

// openHeredoc finds the first heredoc that does not end.
func openHeredoc(src []byte, filename string) (at hcl.Range, mark string, ok bool) {
	for _, m := range heredocs.FindAllSubmatchIndex(src, -1) {
		mark = string(src[m[2]:m[3]])
		if end := regexp.MustCompile(`(?m)^[ \t]*` + mark + `[ \t]*\r?$`); !end.Match(src[m[1]:]) {
			at = lineRange(src, []int{m[0], m[3]}, filename)
			before := utf8.RuneCount(src[bytes.LastIndexByte(src[:m[0]], '\n')+1 : m[0]])
			at.Start.Column += before
			at.End.Column += before
			return at, mark, true
		}
	}
	return at, "", false
}

// sourceLine gives the line of a source that holds a byte.
func sourceLine(src []byte, at int) string {
	if at < 0 || at > len(src) {
		return ""
	}
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	line, _, _ := strings.Cut(string(src[start:]), "\n")
	return line
}
