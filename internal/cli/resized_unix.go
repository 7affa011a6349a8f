//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyResized sends to c whenever the terminal's size changes.
func notifyResized(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }
