// Command envctl-node is envctl's helper inside Linux containers: one binary, one role each.
// envctl starts it; nobody needs to call it by hand.
package main

import (
	"context"
	"errors"
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
	var err error
	switch role {
	case "gateway":
		return gateway(ctx, args, stdout, stderr)
	case "sandbox":
		return sandbox.Main(args, stdout, stderr)
	case "volume":
		return volume.Main(args, stderr)
	case "relay":
		err = hostlink.Main(ctx, args)
	case "probe":
		err = probe.Main(ctx, args, stdout)
	case "forward":
		err = forward.Main(ctx, args)
	case "remove":
		err = remove(args)
	default:
		fmt.Fprintln(stderr, "envctl-node: want a role: forward, gateway, probe, relay, remove, sandbox or volume")
		return 64
	}
	if err != nil {
		fmt.Fprintf(stderr, "envctl-node %s: %v\n", role, err)
		return 1
	}
	return 0
}

// remove takes files and folders away, in a container that has no rm.
func remove(args []string) error {
	var errs []error
	for _, p := range args[min(1, len(args)):] { // after "--"
		errs = append(errs, os.RemoveAll(p))
	}
	return errors.Join(errs...)
}
