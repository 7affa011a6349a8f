//go:build unix

package tui

import (
	"os"

	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"
)

// hush makes a terminal give each key as it is pressed, show none and raise no signal for any. What is
// written to it is treated as before: a raw terminal would not go to the start of a line for a newline.
func hush(f *os.File) (restore func() error, err error) {
	before, err := term.GetState(f.Fd())
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	quiet.Iflag &^= unix.IXON // Ctrl-S would hold up the view
	quiet.Cc[unix.VMIN], quiet.Cc[unix.VTIME] = 1, 0
	if err := term.SetState(f.Fd(), &quiet); err != nil {
		return nil, err
	}
	return func() error { return term.Restore(f.Fd(), before) }, nil
}
