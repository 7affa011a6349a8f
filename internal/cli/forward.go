package cli

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// forwardCommand is the process that `up` starts where the engine is on another computer.
func (a *app) forwardCommand() *cobra.Command {
	return &cobra.Command{
		Use: "forward DIR", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Carry the ports of an environment whose engine is on another computer",
		RunE:  func(_ *cobra.Command, args []string) error { return a.runForward(forward.Dir(args[0])) },
	}
}

func (a *app) runForward(dir forward.Dir) error {
	version, _ := buildVersion(a.version)
	d, err := docker.New(docker.Options{Version: version})
	if err != nil {
		return err
	}
	defer d.Close()
	connect := func(ctx context.Context, t forward.Table) (*forward.Link, error) {
		return d.Forward(ctx, providers.Instance{Environment: t.Environment, ID: t.Instance})
	}
	return forward.Follow(a.interrupts.stop, dir, connect, slog.New(slog.NewTextHandler(a.Err, nil)))
}
