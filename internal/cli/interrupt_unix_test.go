//go:build unix

package cli

import (
	"io"
	"os"
	"syscall"
	"testing"
)

// TestBrokenPipe: SIGPIPE comes of an engine that went away as well as of a reader, and only the latter is as Ctrl-C.
func TestBrokenPipe(t *testing.T) {
	for _, c := range []struct {
		name string
		gone bool
	}{{"a connection", false}, {"the reader", true}} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			if c.gone {
				_ = r.Close()
			}
			i := newInterrupts(t.Context(), make(chan os.Signal))
			defer i.close()
			i.streams = []io.Writer{w, io.Discard}
			i.signal(syscall.SIGPIPE)
			if got := i.stop.Err() != nil; got != c.gone {
				t.Errorf("interrupted: %v", got)
			}
		})
	}
}
