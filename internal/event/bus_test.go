package event_test

import (
	"context"
	"sync"
	"testing"

	"github.com/envctl/envctl/internal/event"
)

func TestSlowReaderMissesOnlyWhatMayBeMissed(t *testing.T) {
	var bus event.Bus
	slow := bus.Subscribe(t.Context())
	const n = 2000
	for range n {
		bus.Publish(event.Event{Type: event.Progress})
		bus.Publish(event.Event{Type: event.Done})
	}
	closed := make(chan struct{})
	go func() { defer close(closed); bus.Close() }()
	count := map[event.Type]int{}
	for e := range slow {
		count[e.Type]++
	}
	<-closed
	if count[event.Done] != n || count[event.Progress] == 0 || count[event.Progress] >= n {
		t.Errorf("read %v of %d each", count, n)
	}
}

func TestEveryReaderGetsEventsInOrder(t *testing.T) {
	var bus event.Bus
	var readers sync.WaitGroup
	for range 3 {
		events := bus.Subscribe(t.Context())
		readers.Go(func() {
			next := int64(0)
			for e := range events {
				if e.Current != next {
					t.Errorf("read %d, want %d", e.Current, next)
				}
				next++
			}
			if next != 100 {
				t.Errorf("read %d", next)
			}
		})
	}
	for i := range 100 {
		bus.Publish(event.Event{Type: event.Done, Current: int64(i)})
	}
	bus.Close()
	readers.Wait()
	bus.Publish(event.Event{}) // after the end: nothing, and no panic
	if _, ok := <-bus.Subscribe(t.Context()); ok {
		t.Error("a closed bus gave an event")
	}
}

func TestReaderThatWentAwayHoldsNothingUp(t *testing.T) {
	var bus event.Bus
	ctx, cancel := context.WithCancel(t.Context())
	bus.Subscribe(ctx)
	bus.Publish(event.Event{Type: event.Done})
	cancel()
	bus.Close()
}
