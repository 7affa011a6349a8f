package sandbox

import (
	"io"
	"sync"
	"time"
)

// inputLimit is how many bytes may wait for a command that does not read.
const inputLimit = 1 << 20

// input feeds a command's stdin from a bounded buffer, so that a Send returns once its bytes
// are held, and is held back by a command that does not read.
type input struct {
	w       io.WriteCloser
	mu      sync.Mutex
	changed chan struct{}
	pending []byte
	ending  bool
	broken  bool
	done    chan struct{}
}

func newInput(w io.WriteCloser) *input {
	in := &input{w: w, changed: make(chan struct{}), done: make(chan struct{})}
	go in.pump()
	return in
}

func (in *input) notifyLocked() {
	close(in.changed)
	in.changed = make(chan struct{})
}

// pump is the only writer to the command. It ends when the input is closed or the pipe breaks.
func (in *input) pump() {
	defer close(in.done)
	for {
		in.mu.Lock()
		for len(in.pending) == 0 && !in.ending {
			wait := in.changed
			in.mu.Unlock()
			<-wait
			in.mu.Lock()
		}
		data, last := in.pending, in.ending
		in.pending = nil
		in.notifyLocked()
		in.mu.Unlock()
		if len(data) > 0 {
			if _, err := in.w.Write(data); err != nil {
				in.mu.Lock()
				in.broken, in.pending = true, nil
				in.notifyLocked()
				in.mu.Unlock()
				_ = in.w.Close() // the reader is gone already
				return
			}
		}
		if last && len(data) == 0 {
			_ = in.w.Close() // nothing can be done about a failure here
			return
		}
	}
}

// write holds data for the command, waiting for room no longer than until. It reports whether
// all of it was taken. A command that has stopped reading takes everything, as on Windows.
func (in *input) write(data []byte, end bool, until <-chan time.Time, gone <-chan struct{}) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.broken && !in.ending && len(data) > 0 {
		if room := inputLimit - len(in.pending); room > 0 {
			n := min(room, len(data))
			in.pending = append(in.pending, data[:n]...)
			data = data[n:]
			in.notifyLocked()
			continue
		}
		wait := in.changed
		in.mu.Unlock()
		select {
		case <-wait:
			in.mu.Lock()
		case <-until:
			in.mu.Lock()
			return false
		case <-gone:
			in.mu.Lock()
			return false
		}
	}
	if end && !in.ending {
		in.ending = true
		in.notifyLocked()
	}
	return true
}

// close ends the input and drops what waits.
func (in *input) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pending = nil
	if !in.ending {
		in.ending = true
		in.notifyLocked()
	}
}
