package cli

import (
	"os"

	"golang.org/x/term"
)

// terminal gives the stream that progress goes to, where that is a terminal that can be drawn on.
func (a *app) terminal() (*os.File, bool) {
	f, ok := a.Err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || a.set("CI") || a.dumb() {
		return nil, false
	}
	return f, true
}

// dumb says whether a terminal knows no escape sequences.
func (a *app) dumb() bool {
	t, _ := a.Getenv("TERM")
	return t == "dumb"
}

// color says whether what goes to stderr may be coloured (https://no-color.org).
func (a *app) color() bool {
	_, ok := a.terminal()
	return ok && !a.set("NO_COLOR")
}

// colorOut is color for stdout.
func (a *app) colorOut() bool {
	return isTerminal(a.Out) && !a.dumb() && !a.set("NO_COLOR")
}

// width is how many columns text for a person has.
func (a *app) width() int {
	if f, ok := a.terminal(); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			return w
		}
	}
	return 100
}

func (a *app) set(name string) bool {
	v, _ := a.Getenv(name)
	return v != ""
}
