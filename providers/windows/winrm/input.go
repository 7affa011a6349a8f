package winrm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// maxUnsent is how much stdin waits to be sent, in bytes, before a Write waits too.
const maxUnsent = 1 << 20

// input is a command's stdin. One Send is in flight at most; all that is written meanwhile goes into
// the next, so that the round trip limits how often is sent and not how much.
type input struct {
	command *Command

	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	eof     bool  // Close was called
	sending bool  // the Send with the end of file is under way
	sent    bool  // everything and the end of file have arrived
	err     error // why nothing can be written any more
	started bool
	stopped chan struct{} // closed when the sender has ended
}

func newInput(c *Command) *input {
	in := &input{command: c, stopped: make(chan struct{})}
	in.changed.L = &in.mu
	return in
}

func (in *input) Write(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for {
		switch {
		case in.err != nil:
			return n, in.err
		case in.eof:
			return n, fmt.Errorf("stdin: %w", io.ErrClosedPipe)
		case n == len(p):
			return n, nil
		}
		room := maxUnsent - len(in.buf)
		if room <= 0 {
			in.changed.Wait()
			continue
		}
		part := p[n:min(n+room, len(p))]
		in.buf = append(in.buf, part...)
		n += len(part)
		in.start()
		in.changed.Broadcast()
	}
}

// Close sends what is left and the end of file, and waits for that.
func (in *input) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.eof = true
		in.start()
		in.changed.Broadcast()
	}
	for !in.sent && in.err == nil {
		in.changed.Wait()
	}
	if in.sent {
		return nil
	}
	return in.err
}

// ended is fail for a command that is done. One that is done because its stdin ended may say so
// before the Send with that end is answered.
func (in *input) ended() {
	in.mu.Lock()
	in.sent = in.sent || in.sending && in.err == nil
	in.mu.Unlock()
	in.fail(fmt.Errorf("stdin: the command has ended: %w", io.ErrClosedPipe))
}

// fail makes err what writing gives from now on; the first failure counts.
func (in *input) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
	in.changed.Broadcast()
}

// wait waits until the sender has ended. It must have been made to fail before.
func (in *input) wait() {
	in.mu.Lock()
	started := in.started
	in.mu.Unlock()
	if started {
		<-in.stopped
	}
}

// start starts the sender with the first byte, so that a command without stdin costs no connection.
func (in *input) start() {
	if in.started {
		return
	}
	in.started = true
	go in.send() // Command.run waits for it
}

func (in *input) send() {
	defer close(in.stopped)
	client := in.command.shell.client
	l := client.take()
	defer client.give(l)
	limit := smallEnvelope
	for {
		queued, ok := in.queued()
		if !ok {
			return
		}
		frame := in.frame()
		if queued > frame.room(limit) && limit == smallEnvelope {
			n, err := client.requestLimit(in.command.ctx, l)
			if err != nil {
				in.broken(err)
				return
			}
			limit = n
		}
		data, last := in.next(frame.room(limit))
		_, err := client.callOn(in.command.ctx, l, "Send", frame.fill(data, last), client.cfg.OperationTimeout)
		if err != nil {
			in.broken(in.command.shell.explain(err))
			return
		}
		in.command.heard.Touch()
		if last {
			in.mu.Lock()
			in.sent = true
			in.changed.Broadcast()
			in.mu.Unlock()
			return
		}
	}
}

// broken ends stdin. Where the machine refused the bytes, the command goes on without; where nobody
// knows whether they arrived, or how many, the stream could not be trusted any more and the command
// is ended: a Send is never repeated.
func (in *input) broken(err error) {
	err = fmt.Errorf("stdin: %w", err)
	var fault *Fault
	uncertain := errors.Is(err, ErrSendTimeout) || errors.Is(err, ErrOperationTimeout) || errors.Is(err, ErrAborted)
	if !uncertain && (errors.As(err, &fault) || errors.Is(err, ErrShellNotFound)) {
		in.fail(err)
		return
	}
	err = fmt.Errorf("%w (how much of it arrived is not known, so the session was dropped: connect again)", err)
	in.fail(err)
	in.command.cancel(err)
}

// queued waits until there is something to send and says how many bytes.
func (in *input) queued() (int, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.buf) == 0 && !in.eof && in.err == nil {
		in.changed.Wait()
	}
	return len(in.buf), in.err == nil
}

// next takes at most room bytes, and says whether they are the last.
func (in *input) next(room int) (data []byte, last bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(room, len(in.buf))
	data = in.buf[:n:n]
	if n == len(in.buf) {
		in.buf = nil // data has it now
	} else {
		in.buf = in.buf[n:]
	}
	in.changed.Broadcast()
	in.sending = in.eof && len(in.buf) == 0
	return data, in.sending
}

// sendFrame is a Send without its bytes ([MS-WSMV] 3.1.4.13). The builders would copy them four times.
type sendFrame struct{ before, after string }

const (
	here    = "\u2042" // where the bytes go; neither base64 nor XML writes it
	endTrue = ` End="true"`
)

func (in *input) frame() sendFrame {
	c := in.command
	r := newRequest(c.shell.client.options(actionSend, resourceCmd, c.shell.id))
	stream := r.child(r.body("Send"), "Stream", here)
	stream.SetAttr("Name", "stdin").SetAttr("CommandId", escape(c.id))
	before, after, _ := strings.Cut(r.message.String(), here)
	return sendFrame{before, after}
}

// room is how many bytes of stdin fit an envelope of so many bytes, after base64.
func (f sendFrame) room(envelope int) int {
	return (envelope - len(f.before) - len(f.after) - len(endTrue)) / 4 * 3
}

func (f sendFrame) fill(data []byte, last bool) []byte {
	b := make([]byte, 0, len(f.before)+len(f.after)+len(endTrue)+base64.StdEncoding.EncodedLen(len(data)))
	if last {
		b = append(b, strings.TrimSuffix(f.before, ">")...)
		b = append(b, endTrue+">"...)
	} else {
		b = append(b, f.before...)
	}
	b = base64.StdEncoding.AppendEncode(b, data)
	return append(b, f.after...)
}
