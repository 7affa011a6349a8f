package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lock"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

func (a *app) upCommand() *cobra.Command {
	var watch bool
	var agreed consent
	c := &cobra.Command{
		Use:   "up [PLAN]",
		Short: "Make the environment true",
		Long: `Make the environment true: what is missing is made, what differs is changed, what is as it should be
is left alone. Prints the outputs when all of it is ready.

What is no longer in the spec is removed once you agree, to a question or with --yes. Where nobody can be asked, as
in CI, it is named and left as it is; its data in named volumes stays either way.

Ctrl-C finishes what is being changed and starts nothing new; a second one stops at once. Either way,
"envctl up" goes on from there and "envctl down" takes all of it away.

With --watch it stays, and does what the watch blocks of containers say when files change: they are copied in, the
container restarts, or its image is built again. Ctrl-C ends that, and what is up stays up.

With PLAN, a file that "envctl plan --out" wrote, it plans again and does nothing unless that comes to the same;
what it removes is agreed on with that.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.streaming("up", func() error { return a.up(args, watch, agreed) })
		},
	}
	a.specFlags(c)
	a.frozenFlag(c)
	a.rebuildFlag(c)
	c.Flags().BoolVar(&watch, "watch", false, "stay, and bring changed files into the containers that have a watch block")
	c.Flags().BoolVarP(&agreed.yes, "yes", "y", false, "remove what is no longer in the spec without asking")
	c.Flags().BoolVar(&agreed.noInput, "no-input", false, "never ask: without --yes, leave what is no longer in the spec")
	return c
}

func (a *app) up(args []string, watch bool, agreed consent) error {
	var planned *planFile
	if len(args) > 0 {
		var err error
		if planned, err = readPlanFile(a.abs(args[0])); err != nil {
			return err
		}
		agreed.yes = true
	}
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	if planned != nil {
		if err := s.planOfThis(planned); err != nil {
			return err
		}
	}
	s.agreed = agreed
	if watch {
		s.watching = newWatching(s)
		defer s.watching.close()
	}
	if err := s.up(planned); err != nil || !watch {
		return err
	}
	return s.watching.run(a.interrupts.stop)
}

// up plans and carries the plan out while no other run changes the instance.
func (s *session) up(planned *planFile) error {
	ctx := s.interrupts.stop
	held, err := s.lockInstance(ctx, s.instance)
	if err != nil {
		return err
	}
	defer held.Release()
	if err := s.settle(ctx, held); err != nil {
		return err
	}

	for try := 0; ; try++ {
		err = s.upOnce(ctx, planned)
		var taken *docker.PortTakenError
		if try == 0 && errors.As(err, &taken) {
			s.lose(taken)
			s.say("Port %d was taken in the meantime; planning again.", taken.Port)
			continue
		}
		return err
	}
}

func (s *session) upOnce(ctx context.Context, planned *planFile) error {
	if err := s.planLocked(ctx); err != nil {
		return err
	}
	if planned != nil {
		if err := s.holdTo(ctx, planned); err != nil {
			return err
		}
	}
	if err := s.agreeOnOrphans(); err != nil {
		return err
	}
	if s.watching != nil {
		if err := s.watching.follow(s); err != nil {
			return err
		}
	}
	s.say("%s", view.Summary(s.plan))
	env, bodies, err := s.values()
	if err != nil {
		return err
	}
	s.forward.ports = topology.Forwards(s.nodes)
	if err := s.stopGateways(ctx, s.observed, s.goes); err != nil {
		return err
	}
	if err := s.run("up", s.plan, func(a addr.Addr) any { return bodies[a] }); err != nil {
		return err
	}
	if s.json || s.quiet || s.watching != nil && s.watching.sink != nil {
		return nil
	}
	if _, live := s.terminal(); live && len(env.Outputs) > 0 {
		fmt.Fprintln(s.Err)
	}
	return printOutputs(s.app, env.Outputs, false)
}

// planLocked plans while no other run on this computer assigns ports.
func (s *session) planLocked(ctx context.Context) error {
	l, err := lock.Engine(ctx, s.lockDir(), s.command, s.sayWaiting)
	if err != nil {
		return err
	}
	return errors.Join(s.makePlan(ctx), l.Release())
}

// lockDir is where locks lie while they are held.
func (a *app) lockDir() string { return a.stateDir() }

// lockInstance waits its turn to plan and change an instance. From then on, a reader that goes away does not kill
// what is half done.
func (a *app) lockInstance(ctx context.Context, i providers.Instance) (*lock.Lock, error) {
	a.interrupts.holdPipe(a.Out, a.Err)
	return lock.Instance(ctx, a.lockDir(), i.Environment, i.ID, a.command, a.sayWaiting)
}

// settle waits, where the run that had the lock before was killed, until the engine has done what that asked of it: what
// is planned on what is seen meanwhile, such as a container that is being stopped, is wrong when it is carried out.
func (w *world) settle(ctx context.Context, held *lock.Lock) error {
	if !held.Killed() {
		return nil
	}
	w.say("The run before this one was killed. Waiting until the engine has done what that asked of it.")
	return w.docker.Settle(ctx, w.instance)
}

func (a *app) sayWaiting(h lock.Holder) { a.say("Waiting for another run of envctl to end: %s.", h) }

// say tells a person something on the way; not what was asked for, which goes to stdout.
func (a *app) say(format string, args ...any) {
	if !a.quiet && !a.json {
		fmt.Fprintf(a.Err, format+"\n", args...)
	}
}
