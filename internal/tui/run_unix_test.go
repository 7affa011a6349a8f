//go:build unix

package tui

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"github.com/envctl/envctl/internal/event"
)

// terminal opens one of 80 by 24: what a person has in front of them, and what a program has.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, program, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(person, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	return person, program
}

// screen is all that was written to a terminal.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
	// seen is called with all that is there, whenever more comes.
	seen func(string)
	done sync.WaitGroup
}

func watch(person *os.File, seen func(string)) *screen {
	s := &screen{seen: seen}
	s.done.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b) // fails with EIO once the program's side is closed
			s.mu.Lock()
			s.text.Write(b[:n])
			text := s.text.String()
			s.mu.Unlock()
			s.seen(text)
			if err != nil {
				return
			}
		}
	})
	return s
}

func TestRunOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	person, program := terminal(t)
	defer person.Close()

	// The person presses Ctrl-C as soon as the machine's layer is on the screen.
	var press sync.Once
	s := watch(person, func(text string) {
		if strings.Contains(text, "applying") {
			press.Do(func() {
				if _, err := person.Write([]byte{3}); err != nil {
					t.Error(err)
				}
			})
		}
	})
	var bus event.Bus
	events := bus.Subscribe(t.Context())
	for _, e := range middle(t) {
		bus.Publish(e)
	}
	err := Run(t.Context(), "gp-booking (a1b2): up", addrs(t), events, program, program, false, func() {
		for _, e := range end(t) {
			bus.Publish(e)
		}
		go bus.Close()
	})
	if err != nil {
		t.Error(err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}
	s.done.Wait()
	text := s.text.String()
	if strings.Contains(text, "\x1b[3") || strings.Contains(text, "\x1b[1m") {
		t.Error("coloured")
	}
	// The last frame is written once, whole, at the very end, the terminal being itself again.
	i := strings.LastIndex(text, "gp-booking (a1b2): up")
	for _, want := range []string{"✓ container.db", "look at the event log", "| two", "! windows.pas: this is not Windows", "= 2 unchanged"} {
		if !strings.Contains(text[i:], want) {
			t.Errorf("the last frame has no %q:\n%s", want, text[i:])
		}
	}
	if !strings.HasSuffix(text, "Windows\r\n") {
		t.Errorf("it ends with %q", text[max(0, len(text)-60):])
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	person, program := terminal(t)
	defer person.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	s := watch(person, func(text string) {
		if strings.Contains(text, "container.db") {
			cancel(cause)
		}
	})
	if err := Run(ctx, "up", addrs(t), make(chan event.Event), program, nil, false, func() {}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}
	s.done.Wait()
}
