package tui

import (
	"errors"
	"io"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/muesli/cancelreader"
	"golang.org/x/term"
)

// keyboard reads the keys of a terminal while a view is on it: they are neither shown nor do they raise
// signals, and all but Ctrl-C mean nothing. Bubble Tea is not given the terminal to read: it would ask it
// what it is able to do, and put its keyboard into modes that stay when envctl is killed.
type keyboard struct {
	pressed chan struct{} // a value a Ctrl-C; closed when no more comes
	end     func() error
}

// newKeyboard reads in, where that is a terminal, until the keyboard is closed, and calls interrupt for each
// Ctrl-C at once, however long the screen takes to be drawn.
func newKeyboard(in io.Reader, interrupt func()) (*keyboard, error) {
	k := &keyboard{pressed: make(chan struct{}, 2), end: func() error { return nil }}
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		close(k.pressed)
		return k, nil
	}
	restore, err := hush(f)
	if err != nil {
		return nil, err
	}
	r, err := cancelreader.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, restore())
	}
	go k.read(r, interrupt)
	k.end = func() error {
		if r.Cancel() {
			for range k.pressed { // until read has ended
			}
		}
		return errors.Join(r.Close(), restore())
	}
	return k, nil
}

func (k *keyboard) read(r io.Reader, interrupt func()) {
	defer close(k.pressed)
	b := make([]byte, 64)
	for {
		n, err := r.Read(b)
		for _, key := range b[:n] {
			if key != 3 { // ETX, which Ctrl-C sends
				continue
			}
			interrupt()
			select {
			case k.pressed <- struct{}{}:
			default: // more than twice says nothing new
			}
		}
		if err != nil {
			return // closed, or the terminal went away: SIGHUP tells of that
		}
	}
}

// ctrlC waits for the next Ctrl-C.
func (k *keyboard) ctrlC() tea.Msg {
	if _, ok := <-k.pressed; !ok {
		return nil
	}
	return ctrlCMsg{}
}

// close gives the terminal back as it was.
func (k *keyboard) close() error { return k.end() }
