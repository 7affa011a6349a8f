package kit

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Codes of gRPC (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const (
	unknown       = 2
	notFound      = 5
	unimplemented = 12
)

// refusal is an error with its code.
type refusal struct {
	code int
	why  string
}

func (r refusal) Error() string { return r.why }

// call answers one call of the engine's.
type call func(*stream) error

// server answers calls as https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md has it.
type server map[string]call

// ServeHTTP implements http.Handler.
func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.WriteHeader(http.StatusOK)
	st := &stream{request: r, in: bufio.NewReaderSize(r.Body, chunk), out: bufio.NewWriterSize(w, chunk), response: http.NewResponseController(w)}
	answer, ok := s[r.URL.Path]
	var err error
	if ok {
		err = answer(st)
	} else {
		err = refusal{unimplemented, r.URL.Path + " is not to be had"}
	}
	if flushed := st.flush(); err == nil {
		err = flushed
	}
	var refused refusal
	switch {
	case err == nil:
	case errors.As(err, &refused):
	default:
		refused = refusal{unknown, err.Error()}
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(refused.code))
	if refused.why != "" {
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", strings.ReplaceAll(url.QueryEscape(refused.why), "+", "%20"))
	}
}

// chunk is how much of a file goes into one message, and how much waits to be written at a time.
const chunk = 32 << 10

// maxMessage is the longest message that is taken.
const maxMessage = 16 << 20

// stream is one call's messages, in both directions. One goroutine may send and another receive.
type stream struct {
	request  *http.Request
	in       *bufio.Reader
	out      *bufio.Writer
	response *http.ResponseController
	msg      []byte // received last
}

// receive gives the next message, which the one after it overwrites; io.EOF when there is none.
func (s *stream) receive() ([]byte, error) {
	var head [5]byte // whether it is compressed, which is not offered, and its length
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if head[0] != 0 || size > maxMessage {
		return nil, fmt.Errorf("a message that begins with %x", head)
	}
	if int(size) > cap(s.msg) {
		s.msg = make([]byte, size)
	}
	s.msg = s.msg[:size]
	_, err := io.ReadFull(s.in, s.msg)
	return s.msg, err
}

// send writes a message; it is on its way once flush was called, or earlier.
func (s *stream) send(msg []byte) error {
	var head [5]byte
	binary.BigEndian.PutUint32(head[1:], uint32(len(msg)))
	if _, err := s.out.Write(head[:]); err != nil {
		return err
	}
	_, err := s.out.Write(msg)
	return err
}

func (s *stream) flush() error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.response.Flush()
}
