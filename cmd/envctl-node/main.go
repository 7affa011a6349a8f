// Command envctl-node is envctl's helper inside Linux containers: one binary, one role each.
// envctl starts it; nobody needs to call it by hand.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/envctl/envctl/internal/gateway/relay"
	"github.com/envctl/envctl/internal/sandbox"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	role := ""
	if len(args) > 0 {
		role, args = args[0], args[1:]
	}
	switch role {
	case "gateway":
		return relay.Main(args, stdout, stderr)
	case "sandbox":
		return sandbox.Main(args, stdout, stderr)
	}
	fmt.Fprintln(stderr, "envctl-node: want a role: gateway or sandbox")
	return 64
}
