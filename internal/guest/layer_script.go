package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// scriptKind runs a script. A secret reaches it in its environment or in its text, which lies in the
// helper's own folder for as long as it runs; never on a command line.
type scriptKind struct{}

type scriptSaved struct {
	Skipped bool `json:"skipped,omitempty"` // creates or unless said that there was nothing to do
}

func (scriptKind) apply(ctx context.Context, s *step) error {
	sc := s.layer.Script
	if sc.Creates != "" {
		if _, err := os.Stat(expandPath(sc.Creates)); err == nil {
			s.log("skipped: %s exists", sc.Creates)
			return s.save(scriptSaved{Skipped: true})
		}
	}
	if sc.Unless != "" {
		ended, err := s.runLine(ctx, cmdLine(sc.Unless), sc, io.Discard, io.Discard)
		if err != nil {
			return fmt.Errorf("unless: %w", err)
		}
		if ended == 0 {
			s.log("skipped: unless ended with 0")
			return s.save(scriptSaved{Skipped: true})
		}
	}
	if err := s.save(scriptSaved{}); err != nil {
		return err
	}
	if err := s.runScript(ctx, sc.Run); err != nil {
		return err
	}
	if sc.Creates != "" {
		if _, err := os.Stat(expandPath(sc.Creates)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the script ended well and did not make %s, which creates names", sc.Creates)
		}
	}
	return nil
}

func (scriptKind) undo(ctx context.Context, s *step) error {
	var saved scriptSaved
	if ok, err := s.saved(&saved); !ok || saved.Skipped || s.layer.Script.Undo == nil {
		return err
	}
	return s.runScript(ctx, *s.layer.Script.Undo)
}

func (scriptKind) observe(_ context.Context, s *step) (d drift, err error) {
	if c := s.layer.Script.Creates; c != "" {
		if _, err := os.Stat(expandPath(c)); errors.Is(err, fs.ErrNotExist) {
			d.say("%s is gone", c)
			d.part("creates", guestproto.Shown(c), "")
		}
	}
	return d, nil
}

// runScript writes the text to a file, runs it, and passes on what it prints, line by line.
func (s *step) runScript(ctx context.Context, text secret.Text) error {
	sc := s.layer.Script
	file, line, body, err := interpreted(sc.Interpreter, filepath.Join(s.machine.Dir, "run"), text.Reveal())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	_ = removeFile(file) // of a run that was cut short
	f, err := makePrivateFile(file)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	_, err = io.WriteString(f, body)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	recent := &recentLines{log: s.log}
	out, errs := &lineWriter{to: recent}, &lineWriter{to: recent}
	code, err := s.runLine(ctx, line, sc, out, errs)
	out.flush()
	errs.flush()
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("exit code %d: %s", code, strings.Join(recent.lines, " | "))
	}
	return nil
}

func (s *step) runLine(ctx context.Context, line string, sc *guestproto.Script, out, errs io.Writer) (uint32, error) {
	limit := 10 * time.Minute
	if sc.Timeout > 0 {
		limit = time.Duration(sc.Timeout) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	env := map[string]string{}
	for name, value := range sc.Env {
		env[name] = value.Reveal()
	}
	p, err := startProcess(command{line: line, env: env})
	if err != nil {
		return 0, err
	}
	code, err := p.run(ctx, out, errs)
	if errors.Is(err, context.DeadlineExceeded) {
		return code, fmt.Errorf("ended after its time limit of %s; raise timeout if it needs longer", limit)
	}
	return code, err
}

// recentLines passes on lines and keeps the last few for the error.
type recentLines struct {
	mu    sync.Mutex // a program's two streams come at once
	log   func(string, ...any)
	lines []string
}

func (r *recentLines) add(line string) {
	line = strings.TrimRight(strings.ToValidUTF8(line, "?"), " \r\n\t")
	if line == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log("%s", line)
	r.lines = append(r.lines, line)
	if len(r.lines) > 5 {
		r.lines = r.lines[1:]
	}
}

// lineWriter cuts one stream into lines.
type lineWriter struct {
	to   *recentLines
	rest []byte
}

// maxLine bounds what is kept of output without an end of line.
const maxLine = 8 << 10

func (l *lineWriter) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		advance, line, _ := bufio.ScanLines(l.rest, false)
		if advance == 0 && len(l.rest) > maxLine {
			advance, line = len(l.rest), l.rest
		}
		if advance == 0 {
			return len(p), nil
		}
		l.to.add(string(line))
		l.rest = l.rest[advance:]
	}
}

func (l *lineWriter) flush() {
	l.to.add(string(l.rest))
	l.rest = nil
}
