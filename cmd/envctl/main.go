// Command envctl builds development environments that are part Linux
// containers, part Windows machines, and wires them together.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/envctl/envctl/internal/cli"
)

// version is set by the linker in a release.
var version string

func main() {
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: the current folder:", err)
		os.Exit(cli.ExitFailed)
	}
	os.Exit(cli.Main(context.Background(), version, os.Args[1:], cli.IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv, Dir: dir,
	}))
}
