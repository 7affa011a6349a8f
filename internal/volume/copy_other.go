//go:build !linux

package volume

import (
	"fmt"
	"io"
)

// Main says that the role is Linux's alone.
func Main(_ []string, stderr io.Writer) int {
	fmt.Fprintln(stderr, "envctl-node volume: it runs in Linux containers only")
	return 1
}
