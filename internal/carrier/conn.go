package carrier

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// lineBytes is how much of the stream one line of base64 holds. Any smaller write is a line of
// its own, so nothing waits to be sent.
const lineBytes = 48 << 10

// Conn is the agreed stream. It is a net.Conn, for SSH's sake, whose deadlines are not supported:
// to end a Read or a Write from outside, Close it.
type Conn struct {
	in, out       Form
	r             io.Reader
	w             io.Writer
	closeR        io.Closer
	closeW        io.Closer
	close         sync.Once
	closeErr      error
	writing       sync.Mutex
	line, encoded []byte // what is left of the line read last; room for the line being written
}

func newConn(br *bufio.Reader, r io.ReadCloser, w io.WriteCloser, in, out Form) *Conn {
	return &Conn{in: in, out: out, r: br, w: w, closeR: r, closeW: w}
}

// Forms says how what this end reads and what it writes look on the wire.
func (c *Conn) Forms() (in, out Form) { return c.in, c.out }

// Read reads what the other end wrote. A line that is no base64 ends the stream.
func (c *Conn) Read(p []byte) (int, error) {
	if c.in == Raw {
		return c.r.Read(p)
	}
	for len(c.line) == 0 {
		line, err := c.readLine()
		if err != nil {
			return 0, err
		}
		n, err := base64.StdEncoding.Decode(line, line)
		if err != nil {
			return 0, fmt.Errorf("the helper's stream: a line that is no base64: %w", err)
		}
		c.line = line[:n]
	}
	n := copy(p, c.line)
	c.line = c.line[n:]
	return n, nil
}

func (c *Conn) readLine() ([]byte, error) {
	br := c.r.(*bufio.Reader)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > 2*lineBytes:
			return nil, fmt.Errorf("the helper's stream: a line of more than %d bytes", 2*lineBytes)
		}
	}
}

// Write hands p on at once. It may be called from several goroutines.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.out == Raw {
		return c.w.Write(p)
	}
	for done := 0; done < len(p); {
		part := p[done:min(done+lineBytes, len(p))]
		c.encoded = base64.StdEncoding.AppendEncode(c.encoded[:0], part)
		c.encoded = append(c.encoded, '\n')
		if _, err := c.w.Write(c.encoded); err != nil {
			return done, err
		}
		done += len(part)
	}
	return len(p), nil
}

// Close closes both pipes.
func (c *Conn) Close() error {
	c.close.Do(func() { c.closeErr = errors.Join(c.closeW.Close(), c.closeR.Close()) })
	return c.closeErr
}

// LocalAddr names the pipe.
func (c *Conn) LocalAddr() net.Addr { return pipeAddr{} }

// RemoteAddr names the pipe.
func (c *Conn) RemoteAddr() net.Addr { return pipeAddr{} }

// SetDeadline is not supported.
func (c *Conn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline is not supported.
func (c *Conn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is not supported.
func (c *Conn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }

// String is an IP address and a port, because SSH's own code splits one where it looks.
func (pipeAddr) String() string { return "127.0.0.1:0" }
