package sandbox

import (
	"io"
	"sync"
)

// outputLimit is how many bytes of a command's output wait for a Receive before the command
// is held back; in bytes.
const outputLimit = 2 << 20

// chunk is what one read of a stream gave.
type chunk struct {
	stream string
	data   []byte
}

// output gathers what a command writes until Receive takes it.
type output struct {
	mu      sync.Mutex
	space   *sync.Cond
	changed chan struct{} // closed and replaced when there is news
	chunks  []chunk
	size    int
	open    map[string]bool
	exited  bool
	code    uint32
	closed  bool
}

func newOutput(streams ...string) *output {
	o := &output{changed: make(chan struct{}), open: map[string]bool{}}
	o.space = sync.NewCond(&o.mu)
	for _, s := range streams {
		o.open[s] = true
	}
	return o
}

func (o *output) notifyLocked() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// copy reads r to its end into the stream. A stream that nobody can ask for is read and dropped.
func (o *output) copy(stream string, r io.ReadCloser) {
	defer r.Close()
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		o.mu.Lock()
		if n > 0 && o.open[stream] && !o.closed {
			o.chunks = append(o.chunks, chunk{stream, append([]byte(nil), buf[:n]...)})
			o.size += n
			o.notifyLocked()
		}
		for o.size >= outputLimit && !o.closed {
			o.space.Wait()
		}
		if err != nil {
			o.open[stream] = false
			o.notifyLocked()
		}
		o.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// exit records the command's exit code.
func (o *output) exit(code uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.exited, o.code = true, code
	o.notifyLocked()
}

// close wakes everything that waits; nothing more is kept.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.space.Broadcast()
		o.notifyLocked()
	}
}

// taken is what one Receive gets.
type taken struct {
	chunks []chunk
	done   bool // everything was taken, and the command has ended
	code   uint32
	closed bool
}

// take removes at most max bytes (and at most maxChunks chunks) of the wanted streams. Where it
// gives nothing, wait is closed at the next news.
func (o *output) take(wanted map[string]bool, max int) (t taken, wait <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return taken{closed: true}, nil
	}
	const perChunk = 160 // the markup around one, in bytes of the envelope, counted as payload
	kept := o.chunks[:0]
	for _, c := range o.chunks {
		if !wanted[c.stream] || max <= perChunk {
			kept = append(kept, c)
			continue
		}
		max -= perChunk
		part := c.data
		if len(part) > max {
			kept = append(kept, chunk{c.stream, part[max:]})
			part = part[:max]
		}
		max -= len(part)
		o.size -= len(part)
		t.chunks = append(t.chunks, chunk{c.stream, part})
	}
	o.chunks = kept
	if len(t.chunks) > 0 {
		o.space.Broadcast()
	}
	t.done = o.exited && len(o.chunks) == 0
	for _, open := range o.open {
		t.done = t.done && !open
	}
	t.code = o.code
	return t, o.changed
}
