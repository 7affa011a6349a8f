//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/term"
)

// screen is a terminal in which a command runs. It shows what is written to it, and answers no question.
type screen struct {
	t       *testing.T
	cmd     *exec.Cmd
	person  *os.File // what is typed and seen
	program *os.File
	before  *term.State
	changed chan struct{}
	ended   chan struct{} // closed when the command has

	mu      sync.Mutex
	shown   *vt.Emulator
	written bytes.Buffer
}

// on starts a command in a terminal of its own.
func on(t *testing.T, cmd *exec.Cmd, columns, rows int) *screen {
	t.Helper()
	person, program, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(program.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{
		t: t, cmd: cmd, person: person, program: program, before: before, shown: vt.NewEmulator(columns, rows),
		changed: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	var answers sync.WaitGroup
	answers.Go(func() { _, _ = io.Copy(io.Discard, s.shown) })
	if err := pty.Setsize(person, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "CI=", "NO_COLOR=", "TERM=xterm-256color", "TMUX=", "SSH_TTY=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that it is told of a new size
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	var seen sync.WaitGroup
	seen.Go(s.watch)
	go func() {
		_ = cmd.Wait() // its exit code is looked at
		kill.Stop()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // where it has not ended
		<-s.ended
		_ = program.Close()
		seen.Wait()
		_ = person.Close()
		_ = s.shown.InputPipe().(io.Closer).Close() // the emulator's own Close races with the reading of its answers
		answers.Wait()
	})
	return s
}

func (s *screen) watch() {
	b := make([]byte, 4096)
	for {
		n, err := s.person.Read(b) // fails once nobody has the program's side any more
		s.mu.Lock()
		_, _ = s.shown.Write(b[:n])
		s.written.Write(b[:n])
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// text is what is on the screen: its rows, without the empty ones at its end.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []string
	for y := range s.shown.Height() {
		var row strings.Builder
		for x := range s.shown.Width() {
			if c := s.shown.CellAt(x, y); c != nil && c.Width > 0 {
				row.WriteString(c.Content)
			}
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// until waits for the screen to be as ok wants it.
func (s *screen) until(what string, ok func(text string) bool) string {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		if text := s.text(); ok(text) {
			return text
		}
		select {
		case <-s.changed:
		case <-deadline:
			s.t.Fatalf("never %s; on the screen is:\n%s", what, s.text())
		case <-s.ended:
			// What it wrote last may not have been read yet.
			select {
			case <-s.changed:
			case <-time.After(5 * time.Second):
				s.t.Fatalf("it ended and was never %s; on the screen is:\n%s", what, s.text())
			}
		}
	}
}

func (s *screen) shows(words string) string {
	s.t.Helper()
	return s.until("showing "+words, func(text string) bool { return strings.Contains(text, words) })
}

func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.person.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// resize is what a terminal does when its window is dragged.
func (s *screen) resize(columns, rows int) {
	s.t.Helper()
	s.mu.Lock()
	s.shown.Resize(columns, rows)
	s.mu.Unlock()
	if err := pty.Setsize(s.person, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the command and gives its exit code. The terminal is to be as it was.
func (s *screen) end() int {
	s.t.Helper()
	<-s.ended
	if s.cmd.ProcessState.ExitCode() < 0 {
		s.t.Fatalf("it was ended: %v; on the screen is:\n%s", s.cmd.ProcessState, s.text())
	}
	if after, err := term.GetState(int(s.program.Fd())); err != nil || *after != *s.before {
		s.t.Errorf("the terminal is not as it was: %v", err)
	}
	// What was written is read once this has come by.
	if _, err := s.program.WriteString("the end"); err != nil {
		s.t.Fatal(err)
	}
	s.shows("the end")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.CursorHidden() {
		s.t.Error("the cursor is still hidden")
	}
	return s.cmd.ProcessState.ExitCode()
}

// question is what a terminal would answer: OSC for colours, DA, DSR, DECRQM, keyboard, XTVERSION, XTGETTCAP.
var question = regexp.MustCompile(`\x1b\][0-9;]+;\?|\x1b\[[>=?]?[0-9]*c|\x1b\[\??[0-9]*n|\x1b\[\??[0-9]+\$p|\x1b\[\?u|\x1b\[>[0-9]*q|\x1bP[+$]q`)

// asksNothing looks for questions, and for modes that would outlive a command that is killed.
func (s *screen) asksNothing() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := question.FindAll(s.written.Bytes(), -1); len(found) > 0 {
		s.t.Errorf("it asks the terminal %q", found)
	}
	for _, mode := range []string{"\x1b[>", "\x1b[?2004h", "\x1b[?1049h", "\x1b[?100"} {
		if bytes.Contains(s.written.Bytes(), []byte(mode)) {
			s.t.Errorf("it sets %q", mode)
		}
	}
}
