// Package tui is the live view of a terminal: a line a resource while a plan is carried out, what the
// resource is doing, the layers of a Windows machine below it, and in the end what came of it, which stays on
// the screen. It shows and passes Ctrl-C on; it decides nothing. It alone imports bubbletea.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
)

// Run shows events until their channel is closed, then leaves the last frame on out and returns. Addrs are
// the resources, in the plan's order. Ctrl-C on in calls interrupt, each time it is pressed: the terminal
// raises no signal meanwhile. Where in is no terminal nothing is read from it. When ctx ends, Run returns its
// cause without waiting for the rest. Nothing is ever asked of the terminal: what it answers too late would
// be on the next command line.
//
// Whoever sends must not wait for Run: see event.Bus.
func Run(ctx context.Context, title string, addrs []addr.Addr, events <-chan event.Event, out *os.File, in io.Reader, color bool, interrupt func()) error {
	m := newModel(title, addrs, time.Now(), newPalette(color))
	m.listen = listen(ctx, events)
	if w, h, err := term.GetSize(int(out.Fd())); err == nil && w > 0 {
		m.width, m.height = w, h
	}
	keys, err := newKeyboard(in, interrupt)
	if err != nil {
		return err
	}
	m.ctrlC = keys.ctrlC
	// Without tea.WithContext, which would leave the last live frame on the screen: listen tells of the end.
	// The profile is given so that none is looked for.
	_, err = tea.NewProgram(m, tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler(), tea.WithColorProfile(colorprofile.ANSI)).Run()
	err = errors.Join(err, keys.close())
	if err == nil && !m.complete {
		err = context.Cause(ctx)
	}
	m.finished = true
	// Not as bubbletea's last frame, which is cut to the height of the terminal.
	if _, werr := fmt.Fprint(out, m.final()); err == nil {
		err = werr
	}
	return err
}

// batch is how many events are taken up at a time; the screen is drawn less often than they come.
const batch = 64

// listen waits for the next events: at least one, and then what is there.
func listen(ctx context.Context, events <-chan event.Event) tea.Cmd {
	return func() tea.Msg {
		var got batchMsg
		select {
		case e, ok := <-events:
			if !ok {
				return finishedMsg{complete: true}
			}
			got = append(got, e)
		case <-ctx.Done():
			return finishedMsg{}
		}
		for len(got) < batch {
			select {
			case e, ok := <-events:
				if !ok {
					return got // the next listen tells
				}
				got = append(got, e)
			default:
				return got
			}
		}
		return got
	}
}
