package windows

import "strings"

// commandLine joins arguments so that a Windows program which splits its command line as Microsoft's C
// runtime does gets them back as they are ("Parsing C command-line arguments").
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quote(a)
	}
	return strings.Join(quoted, " ")
}

func quote(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\n\v\"") {
		return arg
	}
	var b strings.Builder
	b.WriteByte('"')
	backslashes := 0
	for i := range len(arg) {
		switch c := arg[i]; c {
		case '\\':
			backslashes++
		case '"':
			// Each backslash before a quote is doubled, and one more takes the quote along.
			b.WriteString(strings.Repeat(`\`, 2*backslashes+1))
			b.WriteByte('"')
			backslashes = 0
		default:
			b.WriteString(strings.Repeat(`\`, backslashes))
			b.WriteByte(c)
			backslashes = 0
		}
	}
	b.WriteString(strings.Repeat(`\`, 2*backslashes))
	b.WriteByte('"')
	return b.String()
}

// inFolder has cmd.exe change to a folder first. What cmd gives a meaning to loses it by a caret.
func inFolder(dir, line string) string {
	return `cmd.exe /d /s /c "cd /d ` + caret(quote(dir)) + ` && ` + caret(line) + `"`
}

func caret(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`()%!^"<>&|`, r) {
			b.WriteByte('^')
		}
		b.WriteRune(r)
	}
	return b.String()
}
