package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// console reads an expression a line until there is no more. On a terminal a mistake is of no consequence; in
// a pipe the exit code is 1 where there was one.
func (e *evaluator) console() error {
	if in, ok := e.In.(*os.File); ok && term.IsTerminal(int(in.Fd())) && isTerminal(e.Err) {
		return e.dialogue(in)
	}
	// Nothing ends a read of standard input but its end: the goroutine lives until then, or as long as the process.
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(e.In)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-e.interrupts.stop.Done():
				return
			}
		}
		failed <- s.Err()
	}()
	good := true
	for {
		select {
		case <-e.interrupts.stop.Done():
			return errInterrupted
		case line, more := <-lines:
			if !more {
				return errors.Join(<-failed, e.verdict(good))
			}
			ok, err := e.line(line)
			if err != nil {
				return err
			}
			good = good && ok
		}
	}
}

func (e *evaluator) verdict(good bool) error {
	if !good {
		return exit(ExitFailed)
	}
	return nil
}

// dialogue reads from a terminal, with a prompt that says where it stands. The terminal is raw only while a
// line is typed.
func (e *evaluator) dialogue(in *os.File) error {
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, e.Err}, "")
	for {
		names := make([]string, len(e.from))
		for i, f := range e.from {
			names[i] = f.String()
		}
		prompt := strings.Join(names, " ")
		if len(names) > 3 {
			prompt = fmt.Sprintf("%d places", len(names))
		}
		t.SetPrompt(prompt + "> ")
		before, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return err
		}
		line, err := t.ReadLine()
		if restored := term.Restore(int(in.Fd()), before); restored != nil {
			return restored
		}
		switch {
		case errors.Is(err, io.EOF):
			_, err = io.WriteString(e.Err, "\n")
			return err
		case err != nil && !errors.Is(err, term.ErrPasteIndicator):
			return err
		}
		if _, err := e.line(line); err != nil {
			return err
		}
	}
}
