// Command envctl builds development environments that are part Linux
// containers, part Windows machines, and wires them together.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/envctl/envctl/internal/cli"
)

// version is set by the linker in a release.
var version string

// headroom is how much garbage, in percent of what is in use, may gather before it is collected. Go's own
// 100 trades memory for a little processor time; a laptop full of containers has less of the former.
const headroom = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(headroom)
	}
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: the current folder:", err)
		os.Exit(cli.ExitFailed)
	}
	os.Exit(cli.Main(context.Background(), version, os.Args[1:], cli.IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv, Dir: dir,
	}))
}
