// Command envctl-guest is envctl's helper inside a Windows machine. envctl uploads it and runs it;
// nobody needs to install it or to call it by hand.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/envctl/envctl/internal/guest"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/sandbox/winside"
)

const usage = `envctl-guest is envctl's helper inside a Windows machine.

  envctl-guest serve     answer SSH on standard input and output, until they end
  envctl-guest version   print the version of its protocol
`

func main() {
	// In a sandbox this binary also stands in for programs that Wine lacks, by their names.
	if handled, code := winside.Main(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if code, handled := service(args); handled {
		return code
	}
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "serve":
		return serve()
	case "version":
		fmt.Printf("envctl-guest protocol %d\n", guestproto.Version)
		return 0
	}
	fmt.Fprint(os.Stderr, usage)
	return 64
}

func serve() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	m, err := guest.NewMachine()
	if err == nil {
		err = guest.Serve(context.Background(), m, os.Stdin, os.Stdout, log)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "envctl-guest:", err)
		return 1
	}
	return 0
}
