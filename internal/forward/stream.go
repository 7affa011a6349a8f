package forward

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Stream makes a connection of a program's input and output. It has no deadlines: Close ends a read or a write.
func Stream(r io.ReadCloser, w io.WriteCloser) net.Conn { return &stream{r: r, w: w} }

type stream struct {
	r    io.ReadCloser
	w    io.WriteCloser
	once sync.Once
	err  error
}

func (s *stream) Read(b []byte) (int, error)  { return s.r.Read(b) }
func (s *stream) Write(b []byte) (int, error) { return s.w.Write(b) }

func (s *stream) Close() error {
	s.once.Do(func() { s.err = errors.Join(s.w.Close(), s.r.Close()) })
	return s.err
}

func (s *stream) LocalAddr() net.Addr              { return streamAddr{} }
func (s *stream) RemoteAddr() net.Addr             { return streamAddr{} }
func (s *stream) SetDeadline(time.Time) error      { return nil }
func (s *stream) SetReadDeadline(time.Time) error  { return nil }
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

type streamAddr struct{}

func (streamAddr) Network() string { return "stream" }
func (streamAddr) String() string  { return "stream" }
