package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"

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
	c.ValidArgsFunction = a.completeAddresses(1, nil, addr.Container, addr.Job, addr.Windows)
	a.specFlags(c)
	c.Flags().StringVarP(&opts.User, "user", "u", "", "run as this `user` (containers)")
	c.Flags().StringVarP(&opts.WorkingDir, "workdir", "w", "", "run in this `folder`")
	c.Flags().StringArrayVarP(&opts.Env, "env", "e", nil, "set a variable, as `NAME=value`; may be repeated")
	c.Flags().BoolVarP(&noTTY, "no-tty", "T", false, "give the command no terminal")
	return c
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) exec(name string, opts providers.ExecOptions) error {
	return a.inside(name, func(s *session, target addr.Addr, o providers.Observed) error { return s.execIn(target, o, opts) })
}

// inside does something in one resource of an environment that is up.
func (a *app) inside(name string, do func(s *session, target addr.Addr, o providers.Observed) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	target, o, err := s.one(a.interrupts.stop, name)
	if err != nil {
		return err
	}
	return do(s, target, o)
}

// execIn runs a command in one resource with our own streams. Its exit code is the error where it is not 0.
func (s *session) execIn(target addr.Addr, o providers.Observed, opts providers.ExecOptions) error {
	ctx := s.interrupts.stop
	opts.Stdin, opts.Stdout, opts.Stderr = s.In, s.Out, s.Err
	var code int
	var err error
	if target.Kind == addr.Windows {
		if o, err = s.machineHere(ctx, target); err != nil {
			return err
		}
		code, err = s.windows.Exec(ctx, o, opts)
	} else {
		code, err = s.execContainer(ctx, o, opts)
	}
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	case code != 0:
		return exit(code)
	}
	return nil
}

// execContainer makes our terminal, where the command gets one, that of the command.
func (s *session) execContainer(ctx context.Context, o providers.Observed, opts providers.ExecOptions) (int, error) {
	if in, ok := s.In.(*os.File); opts.TTY && ok {
		before, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return -1, err
		}
		defer func() { _ = term.Restore(int(in.Fd()), before) }() // nothing can be done about one that is gone
		resized := make(chan os.Signal, 1)
		notifyResized(resized)
		defer signal.Stop(resized)
		opts.Resized = resized
	}
	return s.docker.Exec(ctx, o, opts)
}

// machineHere gives a Windows machine of the spec as it is, which the provider can talk to from now on.
func (s *session) machineHere(ctx context.Context, target addr.Addr) (providers.Observed, error) {
	if err := s.evaluate(ctx); err != nil {
		return providers.Observed{}, err
	}
	m, err := s.machine(target)
	if err != nil {
		return providers.Observed{}, err
	}
	seen, err := s.windows.Observe(ctx, s.instance, []*envspec.Machine{m})
	if err != nil {
		return providers.Observed{}, err
	}
	return seen[0], nil
}

var errNoPassword = errors.New("its password is not in this computer's credential store, so it cannot be talked to from here")
