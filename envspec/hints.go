package envspec

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/internal/secret"
)

var publishedPort = lazyregexp.New(`^(?:[0-9.]+:)?([0-9]+):([0-9]+)$`)

// asNumber says how a port that is written as Compose has it, "8080:80", is written here; "" for anything else.
func asNumber(text string) string {
	m := publishedPort.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return " Write guest = " + m[2] + ", and host = " + m[1] + " only where it has to be that number on the host."
}

// commands are the lists that hold a program and its arguments.
var commands = []string{"command", "entrypoint", "exec", "args", "run", "uninstall"}

// asList says how text that stands in the place of a list is written, a command line word by word.
func (r *reader) asList(argument, text string) string {
	if text == "" || len(text) > 60 || strings.Contains(text, "${") {
		return ""
	}
	words := []string{text}
	if contains(commands, argument) {
		shell := shellCall.FindStringSubmatch(text)
		switch words = strings.Fields(text); {
		case shell != nil:
			words = []string{shell[1], "-c", shell[2]}
		case !strings.ContainsAny(text, "|&;<>$*\"'`"):
		case r.in.view.at.Kind == addr.Windows:
			return ""
		default:
			words = []string{"sh", "-c", text}
		}
	}
	return " Write [" + strings.Join(quoted(words), ", ") + "]."
}

// shellCall matches a command line that is one of a shell already.
var shellCall = lazyregexp.New(`^((?:/bin/)?(?:ba|a)?sh) -c ['"]?(.*?)['"]?$`)

// mixture says what holds several values, but for a whole port, of which is said what to take.
func mixture(v cty.Value) (string, bool) {
	v, _ = v.Unmark()
	ty := v.Type()
	if ty.IsPrimitiveType() || ty == cty.DynamicPseudoType || ty.IsObjectType() && ty.HasAttribute("from_host") || v.IsNull() {
		return "", false
	}
	return describe(v, false), true
}

// asMap says how a list of "NAME=value" is written; "" where it is not one, or holds a secret.
func asMap(list cty.Value, separator string) string {
	if list.ContainsMarked() || !list.IsWhollyKnown() || list.IsNull() || !list.CanIterateElements() {
		return ""
	}
	var items []string
	for it := list.ElementIterator(); it.Next(); {
		_, el := it.Element()
		text, ok := plainString(el)
		name, value, cut := strings.Cut(text, separator)
		if !ok || !cut || len(text) > 60 {
			return ""
		}
		if !identifier.MatchString(name) {
			name = quote(name)
		}
		if len(items) == 2 {
			items = append(items, "…")
			break
		}
		items = append(items, name+" = "+quote(value))
	}
	if items == nil {
		return ""
	}
	return " Write { " + strings.Join(items, ", ") + " }."
}

var bareNumber = lazyregexp.New(`^[0-9]+$`)

// notDuration says what is wrong with a duration.
func notDuration(text string) string {
	switch {
	case strings.HasPrefix(text, "-"):
		return quote(text) + " is less than nothing. Write a number with its unit: \"500ms\", \"5s\", \"1m30s\", \"2h\"."
	case bareNumber.MatchString(text):
		return quote(text) + " has no unit. Write \"" + text + "s\" for seconds, or \"500ms\", \"1m30s\", \"2h\"."
	}
	return quote(text) + " is not a duration. Write a number with its unit: \"500ms\", \"5s\", \"1m30s\", \"2h\"."
}

// nameOfFile reports whether text looks like the name of a file.
func nameOfFile(text string) bool {
	return len(text) < 200 && !strings.ContainsAny(text, " \t\r\n") && len(extension(text)) > 1
}

// fileMeant warns where the name of a file that is there stands in the place of what is in it.
func (r *reader) fileMeant(name string, text secret.Text, instead string) {
	if text.Sensitive || !nameOfFile(text.Value) {
		return
	}
	if _, err := os.Stat(resolvePath(r.in.view.scope.dir, text.Value)); err != nil {
		return
	}
	instead += quote(text.Value)
	if strings.Contains(instead, "(") {
		instead += ")"
	}
	r.report(caution(CodeValue, r.rangeOf(name), "The name of a file", "%q holds the text itself, and here it is the name of a file that is there. For what is in the file, write %s.", name, instead))
}

// slippedPath matches a path of Windows in which a single backslash became the end of a line or a tab.
var slippedPath = lazyregexp.New(`(^|[^A-Za-z])[A-Za-z]:[\t\r\n]|^[A-Za-z]:\\[^\t\r\n]*[\t\r\n]`)

// checkPath refuses text in quotes that was meant as a path of Windows and, with a single backslash, is none.
func (r *reader) checkPath(text string, at hcl.Range) {
	if !strings.ContainsAny(text, "\t\r\n") || !slippedPath.MatchString(text) {
		return
	}
	spec := r.in.view.eval.spec
	spec.mu.Lock()
	f := spec.files[at.Filename]
	spec.mu.Unlock()
	if f == nil || at.Start.Byte >= len(f.Bytes) || f.Bytes[at.Start.Byte] != '"' {
		return // a heredoc, or written elsewhere
	}
	r.report(singleBackslash(CodeValue, at, string(f.Bytes[at.Start.Byte:min(at.End.Byte, len(f.Bytes))])))
}

// unescaped puts back what a single backslash before a letter became.
var unescaped = strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`)

// singleBackslash is the fault of text that has single backslashes, as it stands in a spec or without its quotes.
func singleBackslash(code Code, at hcl.Range, source string) *hcl.Diagnostic {
	twice := strings.ReplaceAll(strings.ReplaceAll(strings.Trim(source, `"`), `\\`, `\`), `\`, `\\`)
	return fault(code, at, "A backslash is written twice", "In quotes, \\n, \\r and \\t are the end of a line and a tab. Write \"%s\".", twice)
}

// windowsPath matches an absolute path of Windows: with its drive, of a share, or behind a variable.
var windowsPath = lazyregexp.New(`^([A-Za-z]:[\\/]|\\\\[^\\]|%[^%]+%)`)

// windowsLabel refuses a layer whose label is no absolute path of Windows.
func (r *reader) windowsLabel() {
	if len(r.labels) > 0 && !strings.ContainsAny(r.label(), "\t\r\n") && !windowsPath.MatchString(r.label()) {
		r.report(fault(CodeValue, r.labels[0].at, "Not an absolute path", "The label is a path on the Windows machine, with its drive, such as \"C:\\\\PAS\\\\forms\"."))
	}
}

// otherComputer says, where a source looks like a path of Windows, that it is looked for on this computer.
func otherComputer(source string) string {
	if !windowsPath.MatchString(source) || filepath.IsAbs(source) {
		return ""
	}
	return " A source is on this computer, from the spec's folder: copy the file there, and name it as \"installers/pas.msi\"."
}
