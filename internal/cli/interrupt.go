package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errInterrupted is the cause of the contexts that Ctrl-C ends.
var errInterrupted = errors.New("interrupted")

// interrupts turns Ctrl-C, SIGTERM, or a terminal that goes away (SIGHUP), into two contexts: the first time nothing new is started (stop),
// the second time what runs is cut off too (now).
type interrupts struct {
	stop, now             context.Context
	cancelStop, cancelNow context.CancelCauseFunc
	signals               chan os.Signal
	done                  chan struct{}
	ended                 chan struct{}
	pressed               chan struct{}
	streams               []io.Writer // whose readers count
}

func newInterrupts(ctx context.Context, signals chan os.Signal) *interrupts {
	i := &interrupts{signals: signals, done: make(chan struct{}), ended: make(chan struct{}), pressed: make(chan struct{}, 2)}
	i.now, i.cancelNow = context.WithCancelCause(ctx)
	i.stop, i.cancelStop = context.WithCancelCause(i.now)
	go func() {
		defer close(i.ended)
		for {
			select {
			case s := <-signals:
				i.signal(s)
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

// holdPipe keeps the process alive when whoever reads what it writes to these has gone, as in "envctl up | head":
// that interrupts it as Ctrl-C does. Without it, it dies of that as any command does.
func (i *interrupts) holdPipe(streams ...io.Writer) {
	i.streams = streams
	signal.Notify(i.signals, syscall.SIGPIPE)
}

func (i *interrupts) signal(s os.Signal) {
	switch {
	case s != syscall.SIGPIPE:
		i.press()
	case readerGone(i.streams): // and not an engine, whose connections raise it too once they are asked for
		i.cancelStop(errInterrupted)
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
