package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

func (a *app) shellCommand() *cobra.Command {
	var opts providers.ExecOptions
	c := &cobra.Command{
		Use:   "shell ADDRESS",
		Short: "Open a shell inside a container or a Windows machine",
		Long: `Open a shell inside a container, bash where it has one and else sh, or on a Windows machine, cmd.exe. Without a
terminal the shell reads its commands from standard input. Its exit code is passed on.`,
		Example: "  envctl shell db\n  envctl shell windows.pas\n  echo 'ls /var/lib' | envctl shell db",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			opts.TTY = isTerminal(a.In) && isTerminal(a.Out)
			return a.shell(args[0], opts)
		},
	}
	c.ValidArgsFunction = a.completeAddresses(1, nil, addr.Container, addr.Windows)
	a.specFlags(c)
	c.Flags().StringVarP(&opts.User, "user", "u", "", "run as this `user` (containers)")
	c.Flags().StringVarP(&opts.WorkingDir, "workdir", "w", "", "begin in this `folder`")
	return c
}

func (a *app) shell(name string, opts providers.ExecOptions) error {
	return a.inside(name, func(s *session, target addr.Addr, o providers.Observed) (err error) {
		if target.Kind != addr.Windows {
			if opts.Command, err = s.shellOf(a.interrupts.stop, o); err != nil {
				return err
			}
		}
		return s.execIn(target, o, opts)
	})
}

// shellOf finds the shell of a container.
func (s *session) shellOf(ctx context.Context, o providers.Observed) ([]string, error) {
	for _, shell := range []string{"/bin/bash", "/usr/local/bin/bash", "/bin/sh"} {
		_, there, err := s.docker.Stat(ctx, o, shell)
		if err != nil {
			return nil, err
		}
		if there {
			return []string{shell}, nil
		}
	}
	return nil, fmt.Errorf("%s has no shell in it; \"envctl exec\" runs one of its programs, \"envctl cp\" brings files out", o.Addr)
}
