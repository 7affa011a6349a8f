package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

func (a *app) execCommand() *cobra.Command {
	var opts providers.ExecOptions
	var noTTY bool
	c := &cobra.Command{
		Use:   "exec ADDRESS -- COMMAND [ARG...]",
		Short: "Run a command inside a container or a Windows machine",
		Long: `Run a command inside a container or a Windows machine. The address may be short, "db" for container.db, where it is
clear. The command's own exit code is passed on.`,
		Example: "  envctl exec db -- psql -U booking\n  envctl exec windows.pas -- sc query PasSvc",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			opts.Command = args[1:]
			opts.TTY = !noTTY && isTerminal(a.In) && isTerminal(a.Out)
			return a.exec(args[0], opts)
		},
	}
	a.specFlags(c)
	c.Flags().StringVarP(&opts.User, "user", "u", "", "run as this user (containers)")
	c.Flags().StringVarP(&opts.WorkingDir, "workdir", "w", "", "run in this folder")
	c.Flags().StringArrayVarP(&opts.Env, "env", "e", nil, "set a variable, as NAME=value; may be repeated")
	c.Flags().BoolVarP(&noTTY, "no-tty", "T", false, "give the command no terminal")
	return c
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) exec(name string, opts providers.ExecOptions) error {
	ctx := a.interrupts.stop
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	is, all, err := s.here(ctx)
	if err != nil {
		return err
	}
	target, err := pick(all, name)
	if err != nil {
		return err
	}
	opts.Stdin, opts.Stdout, opts.Stderr = a.In, a.Out, a.Err
	code := 0
	if target.Kind == addr.Windows {
		if err := s.evaluate(ctx); err != nil {
			return err
		}
		m, err := s.machine(target)
		if err != nil {
			return err
		}
		seen, err := s.windows.Observe(ctx, s.instance, []*envspec.Machine{m})
		if err != nil {
			return err
		}
		if code, err = s.windows.Exec(ctx, seen[0], opts); err != nil {
			return err
		}
	} else if code, err = s.docker.Exec(ctx, is[target], opts); err != nil {
		return err
	}
	if a.interrupts.stop.Err() != nil {
		return errInterrupted
	}
	if code != 0 {
		return exit(code)
	}
	return nil
}

var errNoPassword = errors.New("its password is not in this computer's credential store, so it cannot be talked to from here")
