package cli

import (
	"context"
	"errors"
	"os"
)

// errInterrupted is the cause of the contexts that Ctrl-C ends.
var errInterrupted = errors.New("interrupted")

// interrupts turns Ctrl-C, or SIGTERM, into two contexts: the first time nothing new is started (stop),
// the second time what runs is cut off too (now).
type interrupts struct {
	stop, now             context.Context
	cancelStop, cancelNow context.CancelCauseFunc
	done                  chan struct{}
	ended                 chan struct{}
	pressed               chan struct{}
}

func newInterrupts(ctx context.Context, signals <-chan os.Signal) *interrupts {
	i := &interrupts{done: make(chan struct{}), ended: make(chan struct{}), pressed: make(chan struct{}, 2)}
	i.now, i.cancelNow = context.WithCancelCause(ctx)
	i.stop, i.cancelStop = context.WithCancelCause(i.now)
	go func() {
		defer close(i.ended)
		for {
			select {
			case <-signals:
				i.press()
			case <-i.pressed:
				i.press()
			case <-i.done:
				return
			}
		}
	}()
	return i
}

// interrupt is what a live view calls when it reads Ctrl-C itself, since the terminal is raw then.
func (i *interrupts) interrupt() {
	select {
	case i.pressed <- struct{}{}:
	default:
	}
}

func (i *interrupts) press() {
	if i.stop.Err() == nil {
		i.cancelStop(errInterrupted)
		return
	}
	i.cancelNow(errInterrupted)
}

func (i *interrupts) close() {
	close(i.done)
	<-i.ended
	i.cancelNow(context.Canceled)
}
