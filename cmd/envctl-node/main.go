// Command envctl-node is envctl's helper inside Linux containers: one binary, one role each.
// envctl starts it; nobody needs to call it by hand.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/internal/hostlink"
	"github.com/envctl/envctl/internal/probe"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/volume"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	role := ""
	if len(args) > 0 {
		role, args = args[0], args[1:]
	}
	switch role {
	case "gateway":
		return gateway(ctx, args, stdout, stderr)
	case "relay":
		if err := hostlink.Main(ctx, args); err != nil {
			fmt.Fprintln(stderr, "envctl-node relay:", err)
			return 1
		}
		return 0
	case "probe":
		if err := probe.Main(ctx, args, stdout); err != nil {
			fmt.Fprintln(stderr, "envctl-node probe:", err)
			return 1
		}
		return 0
	case "forward":
		if err := forward.Main(ctx, args); err != nil {
			fmt.Fprintln(stderr, "envctl-node forward:", err)
			return 1
		}
		return 0
	case "sandbox":
		return sandbox.Main(args, stdout, stderr)
	case "remove":
		return remove(args, stderr)
	case "volume":
		return volume.Main(args, stderr)
	}
	fmt.Fprintln(stderr, "envctl-node: want a role: forward, gateway, probe, relay, remove, sandbox or volume")
	return 64
}

// remove takes files and folders away, in a container that has no rm.
func remove(args []string, stderr io.Writer) int {
	code := 0
	for _, p := range args[min(1, len(args)):] { // after "--"
		if err := os.RemoveAll(p); err != nil {
			fmt.Fprintln(stderr, "envctl-node remove:", err)
			code = 1
		}
	}
	return code
}
