package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/providers"
)

func (a *app) stopCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "stop [ADDRESS...]",
		Short: "Stop containers and keep them",
		Long: `Stop the environment's containers, or those named, and keep them with all that they hold: what depends on
something is stopped before it. A Windows machine stands for what envctl runs for it: its gateway and, where it
has one, its sandbox. "envctl start" starts them again, and so does "envctl up".`,
		Example: "  envctl stop\n  envctl stop booking",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.power(args, func(ctx context.Context, s *session, found []providers.Observed) error {
				return inReverse(ctx, found, s.powerOff)
			})
		},
	}
	c.ValidArgsFunction = a.completeAddresses(0, nil, addr.Container, addr.Windows)
	a.specFlags(c)
	return c
}

func (a *app) startCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "start [ADDRESS...]",
		Short: "Start containers that were stopped",
		Long: `Start the environment's containers that were stopped, or those named, each when what it depends on is ready, and
wait until they are ready. Nothing is made and nothing is changed: for that there is "envctl up".`,
		Example: "  envctl start\n  envctl start db booking",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.power(args, func(ctx context.Context, s *session, found []providers.Observed) error {
				return inOrder(ctx, found, s.powerOn)
			})
		},
	}
	c.ValidArgsFunction = a.completeAddresses(0, nil, addr.Container, addr.Windows)
	a.specFlags(c)
	return c
}

func (a *app) restartCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restart [ADDRESS...]",
		Short: "Stop containers and start them again",
		Long: `Stop the environment's containers, or those named, in the order of what depends on what, and start them again until
they are ready.`,
		Example: "  envctl restart booking",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.power(args, func(ctx context.Context, s *session, found []providers.Observed) error {
				if err := inReverse(ctx, found, s.powerOff); err != nil {
					return err
				}
				return inOrder(ctx, found, s.powerOn)
			})
		},
	}
	c.ValidArgsFunction = a.completeAddresses(0, nil, addr.Container, addr.Windows)
	a.specFlags(c)
	return c
}

// power does something to containers while no other run changes the instance.
func (a *app) power(names []string, do func(context.Context, *session, []providers.Observed) error) error {
	ctx := a.interrupts.stop
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	held, err := a.lockInstance(ctx, s.instance)
	if err != nil {
		return err
	}
	defer held.Release()
	is, all, err := s.here(ctx)
	if err != nil {
		return err
	}
	found, err := containers(is, all, names)
	if err != nil {
		return err
	}
	if err := s.evaluate(ctx); err != nil { // how each says that it is ready
		return err
	}
	s.forward.ports = topology.Forwards(s.nodes)
	err = do(ctx, s, found)
	if err != nil && ctx.Err() != nil {
		return errors.Join(errInterrupted, err)
	}
	return err
}

func (s *session) powerOff(ctx context.Context, o providers.Observed) error {
	if err := s.docker.Stop(ctx, o); err != nil {
		return err
	}
	s.say("%s is stopped", o.Addr)
	return nil
}

// powerOn starts a container and waits until it is ready, as the spec says. One that is no longer in the spec
// only has to run.
func (s *session) powerOn(ctx context.Context, o providers.Observed) error {
	if o.State == providers.Failed && o.Detail == providers.Incomplete {
		return errors.New(`it was never whole; "envctl up" makes it anew`)
	}
	if err := s.docker.Start(ctx, o); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if n.Addr != o.Addr || n.Addr.Kind == addr.Network {
			continue
		}
		started := o
		started.State = providers.Starting
		c := providers.Change{Action: providers.None, Instance: s.instance, Node: n, Observed: &started}
		if err := s.engine.Providers[n.Addr.Kind].WaitReady(ctx, c, func(event.Event) {}); err != nil {
			return err
		}
	}
	s.say("%s is ready", o.Addr)
	return nil
}
