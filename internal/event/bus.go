package event

import (
	"context"
	"sync"
)

// Bus hands events on to readers that may be slow. Publishing never blocks: a reader that falls behind
// misses progress and log lines, and nothing else.
type Bus struct {
	mu      sync.Mutex
	readers []*reader
	closed  bool
	pumps   sync.WaitGroup
}

// reader is one subscription. Its queue is guarded by the bus.
type reader struct {
	queue []Event
	wake  chan struct{} // holds one, so that waking is never lost and never blocks
}

// backlog is how many events may wait for a reader before it misses those that may be missed.
const backlog = 256

// Publish is a Sink.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	for _, r := range b.readers {
		if len(r.queue) >= backlog && !e.Type.Final() {
			continue
		}
		r.queue = append(r.queue, e)
		r.signal()
	}
}

// Subscribe gives the events that are published from now on, in order. The channel is closed once the bus
// is closed and everything has been read, or when ctx ends.
func (b *Bus) Subscribe(ctx context.Context) <-chan Event {
	out := make(chan Event)
	r := &reader{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(out)
		return out
	}
	b.readers = append(b.readers, r)
	b.pumps.Go(func() {
		defer close(out)
		b.pump(ctx, r, out)
	})
	return out
}

func (b *Bus) pump(ctx context.Context, r *reader, out chan<- Event) {
	for {
		b.mu.Lock()
		batch, closed := r.queue, b.closed
		r.queue = nil
		b.mu.Unlock()
		for _, e := range batch {
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if closed {
			return
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the bus and returns when every reader has read what there was, or its context has ended.
func (b *Bus) Close() {
	b.mu.Lock()
	b.closed = true
	for _, r := range b.readers {
		r.signal()
	}
	b.mu.Unlock()
	b.pumps.Wait()
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
