package cli

import "os"

// notifyResized never sends: Windows says no such thing by a signal.
func notifyResized(chan<- os.Signal) {}
