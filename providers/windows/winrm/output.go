package winrm

import "sync"

// maxUnread is how much output waits for its reader, in bytes, before the machine is asked for no
// more.
const maxUnread = 4 << 20

// output is one stream of a command: filled by its poller, read by whoever wants it.
type output struct {
	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	err     error
}

func newOutput() *output {
	o := &output{}
	o.changed.L = &o.mu
	return o
}

// add waits for room and appends. It fails once the stream has ended.
func (o *output) add(data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) > maxUnread && o.err == nil {
		o.changed.Wait()
	}
	if o.err != nil {
		return o.err
	}
	if len(o.buf) == 0 {
		o.buf = data
	} else {
		o.buf = append(o.buf, data...)
	}
	o.changed.Broadcast()
	return nil
}

// end makes err what follows the last byte; the first end counts.
func (o *output) end(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.changed.Broadcast()
}

func (o *output) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) == 0 && o.err == nil && len(p) > 0 {
		o.changed.Wait()
	}
	if len(o.buf) == 0 && len(p) > 0 {
		return 0, o.err
	}
	n := copy(p, o.buf)
	o.buf = o.buf[n:]
	o.changed.Broadcast()
	return n, nil
}
