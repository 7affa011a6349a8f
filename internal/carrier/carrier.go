// Package carrier turns the stdin and stdout of one process into a stream that carries SSH.
// Both ends use it: the Windows helper, whose pipes they are, and envctl, to which WinRM brings them.
//
// What WinRM does to bytes on their way is documented nowhere, so nothing is believed: after the
// helper's greeting each end sends every byte value to the other, and a direction that does not
// bring them through unchanged carries lines of base64 from then on. The order on the wire:
//
//	helper → envctl   greeting (JSON, one line), check
//	envctl → helper   check, "down raw" or "down base64" (a line)
//	helper → envctl   "up raw" or "up base64" (a line)
//	both              the stream, in the form agreed on for its direction
//
// The check ends with a line in plain letters, so that an end finds where to go on however badly
// what came before it arrived. Authentication and integrity are left to SSH, which runs on top.
package carrier

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
)

// ErrNoGreeting is what Client gives when the other end is no helper: something else was started,
// or nothing was.
var ErrNoGreeting = errors.New("no greeting from the helper")

// Form is how one direction of a stream looks on the wire.
type Form string

// The two forms.
const (
	Raw    Form = "raw"
	Base64 Form = "base64"
)

const (
	maxGreeting = 16 << 10 // bytes in the greeting's line
	maxLine     = 256      // bytes in a verdict's line
	readBuffer  = 64 << 10
)

// Client is envctl's end: r is the helper's stdout and w its stdin. It returns when both ends have
// agreed on the form of each direction. When ctx ends first, r and w are closed; once Client has
// returned, ctx no longer matters. An error that is ErrNoGreeting carries what came in its place.
func Client(ctx context.Context, r io.ReadCloser, w io.WriteCloser) (*Conn, guestproto.Greeting, error) {
	type result struct {
		conn     *Conn
		greeting guestproto.Greeting
	}
	res, err := bounded(ctx, r, w, func() (result, error) {
		conn, greeting, err := client(r, w)
		return result{conn, greeting}, err
	})
	return res.conn, res.greeting, err
}

func client(r io.ReadCloser, w io.WriteCloser) (*Conn, guestproto.Greeting, error) {
	var greeting guestproto.Greeting
	br := bufio.NewReaderSize(r, readBuffer)
	line, err := readLine(br, maxGreeting)
	if err != nil {
		return nil, greeting, fmt.Errorf("%w: %w", ErrNoGreeting, err)
	}
	if err := json.Unmarshal([]byte(line), &greeting); err != nil {
		return nil, greeting, fmt.Errorf("%w: it wrote %.200q", ErrNoGreeting, line)
	}
	if greeting.Version != guestproto.Version {
		return nil, greeting, fmt.Errorf("the helper speaks version %d of the protocol, this envctl version %d: use the envctl that the helper came with",
			greeting.Version, guestproto.Version)
	}
	down, err := readCheck(br)
	if err != nil {
		return nil, greeting, fmt.Errorf("check of the helper's stdout: %w", err)
	}
	if _, err := w.Write(append(check(), verdict("down", down)...)); err != nil {
		return nil, greeting, fmt.Errorf("check of the helper's stdin: %w", err)
	}
	up, err := readVerdict(br, "up")
	if err != nil {
		return nil, greeting, fmt.Errorf("check of the helper's stdin: %w", err)
	}
	return newConn(br, r, w, down, up), greeting, nil
}

// Server is the helper's end. It returns when both ends have agreed on the form of each direction.
// When ctx ends first, stdin and stdout are closed and the error is ctx's; a read that does not
// notice (one from a Windows pipe may not) is left behind, so a helper ends its process then.
func Server(ctx context.Context, stdin io.ReadCloser, stdout io.WriteCloser, greeting guestproto.Greeting) (*Conn, error) {
	return bounded(ctx, stdin, stdout, func() (*Conn, error) { return server(stdin, stdout, greeting) })
}

func server(r io.ReadCloser, w io.WriteCloser, greeting guestproto.Greeting) (*Conn, error) {
	line, err := json.Marshal(greeting)
	if err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if _, err := w.Write(append(append(line, '\n'), check()...)); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	br := bufio.NewReaderSize(r, readBuffer)
	up, err := readCheck(br)
	if err != nil {
		return nil, fmt.Errorf("check of stdin: %w", err)
	}
	down, err := readVerdict(br, "down")
	if err != nil {
		return nil, fmt.Errorf("check of stdout: %w", err)
	}
	if _, err := w.Write(verdict("up", up)); err != nil {
		return nil, fmt.Errorf("check of stdin: %w", err)
	}
	return newConn(br, r, w, up, down), nil
}

// bounded gives do until ctx ends, and then closes what it works on.
func bounded[T any](ctx context.Context, r io.Closer, w io.Closer, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := do()
		done <- result{v, err}
	}()
	select {
	case res := <-done:
		return res.value, res.err
	case <-ctx.Done():
		// Closing may itself wait for the read that is under way, so nobody waits for it.
		go func() { _ = w.Close(); _ = r.Close() }()
		var zero T
		return zero, fmt.Errorf("the helper's stream: %w", context.Cause(ctx))
	}
}

func verdict(direction string, f Form) []byte { return []byte(direction + " " + string(f) + "\n") }

func readVerdict(br *bufio.Reader, direction string) (Form, error) {
	line, err := readLine(br, maxLine)
	if err != nil {
		return "", err
	}
	word, form, _ := strings.Cut(line, " ")
	if f := Form(form); word == direction && (f == Raw || f == Base64) {
		return f, nil
	}
	return "", fmt.Errorf("the other end wrote %.100q in place of its verdict", line)
}

// readLine reads one line of at most limit bytes, without its end.
func readLine(br *bufio.Reader, limit int) (string, error) {
	var line []byte
	for len(line) <= limit {
		b, err := br.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return "", fmt.Errorf("the stream ended after %.200q: %w", line, io.ErrUnexpectedEOF)
		case err != nil:
			return "", err
		case b == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, b)
	}
	return "", fmt.Errorf("a line of more than %d bytes, which begins %.80q", limit, line)
}
