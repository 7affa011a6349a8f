package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lock"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

type downOptions struct{ volumes, keepImages, leaveMachines bool }

func (a *app) downCommand() *cobra.Command {
	var opts downOptions
	c := &cobra.Command{
		Use:   "down",
		Short: "Take the environment away",
		Long: `Take the environment away: what it made on Windows machines is undone, containers, the network and the images
made for it are removed. Named volumes and the credentials that go with them stay; --volumes removes them too.

The spec need not be valid, nor even be there: what exists says itself what it is. Outside of the spec's
folder, name the instance with --name.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.streaming("down", func() error { return a.down(opts) })
		},
	}
	a.specFlags(c)
	c.Flags().BoolVar(&opts.volumes, "volumes", false, "remove named volumes and generated credentials too")
	c.Flags().BoolVar(&opts.keepImages, "keep-images", false, "keep the images, so that the next up need not build them")
	c.Flags().BoolVar(&opts.leaveMachines, "leave-machines", false,
		"leave what was set up on machines that envctl did not make, as where one is gone for good")
	return c
}

func (a *app) down(opts downOptions) error {
	instances, err := a.instances(a.interrupts.stop, opts)
	if err != nil {
		return err
	}
	if len(instances) == 0 {
		a.say("Nothing to take down.")
		return nil
	}
	var errs []error
	for _, i := range instances {
		errs = append(errs, a.downInstance(i, opts))
	}
	errs = append(errs, lock.TidyEngine(a.lockDir()))
	_ = os.Remove(a.stateDir()) // goes with the last thing in it
	return errors.Join(errs...)
}

// instances finds what is meant by the spec's folder, or by an instance's name, among all that is there. The
// spec need not be right for that: its folder stands on what was made from it. In a folder, only that
// environment's instance is meant, under the name that it has in the spec or had when it was made.
func (a *app) instances(ctx context.Context, opts downOptions) ([]providers.Instance, error) {
	dir, noSpec := a.specDir()
	if noSpec != nil && a.instanceName() == "" {
		return nil, noSpec
	}
	id, err := a.instanceID(cmp.Or(dir, a.Dir))
	if err != nil {
		return nil, err
	}
	w, err := a.world(providers.Instance{})
	if err != nil {
		return nil, err
	}
	defer w.close()
	all, err := w.docker.Instances(ctx)
	if err != nil {
		return nil, err
	}
	named := slices.DeleteFunc(all, func(i providers.Instance) bool { return i.ID != id })
	if a.instanceName() == "" && len(named) > 0 {
		return named, nil // the id is the folder's own
	}
	if noSpec == nil {
		spec, _, _ := a.load() // for its name alone; what is wrong with it does not matter here
		named = slices.DeleteFunc(named, func(i providers.Instance) bool {
			return i.SpecDir != dir && (spec == nil || i.Environment != spec.Name)
		})
		if len(named) == 0 && spec != nil && spec.Name != "" {
			return w.unseen(ctx, providers.Instance{Environment: spec.Name, ID: id, SpecDir: dir}, opts)
		}
		return named, nil
	}
	if len(named) > 1 {
		var names []string
		for _, i := range named {
			names = append(names, fmt.Sprintf("%s in %s", i.Environment, i.SpecDir))
		}
		return nil, fmt.Errorf("several environments have an instance %q (%s); name the folder of the one that is meant with -C", id, join(names))
	}
	return named, nil
}

// unseen gives an instance of which the engine shows nothing, where there may be something of it all the same: a run is
// at it, or was killed at it, or a build that was cut short left steps, which do not say whose they are.
func (w *world) unseen(ctx context.Context, i providers.Instance, opts downOptions) ([]providers.Instance, error) {
	if lock.Begun(w.lockDir(), i.Environment, i.ID) {
		return []providers.Instance{i}, nil
	}
	if opts.keepImages {
		return nil, nil
	}
	left, err := w.docker.HalfBuilt(ctx, i.Environment)
	if !left || err != nil {
		return nil, err
	}
	return []providers.Instance{i}, nil
}

func (a *app) downInstance(i providers.Instance, opts downOptions) error {
	ctx := a.interrupts.stop
	w, err := a.world(i)
	if err != nil {
		return err
	}
	defer w.close()
	held, err := a.lockInstance(ctx, i)
	if err != nil {
		return err
	}
	defer held.Release()
	if err := w.settle(ctx, held); err != nil {
		return err
	}

	observed, err := w.docker.Observe(ctx, i)
	if err != nil {
		return err
	}
	nobody := func(addr.Addr) bool { return false }
	var machines []providers.Observed
	if !opts.leaveMachines {
		if machines, err = w.abandoned(ctx, observed, nobody); err != nil {
			return err
		}
	}
	if err := w.stopGateways(ctx, observed, func(addr.Addr) bool { return true }); err != nil {
		return err
	}
	p := plan.Destroy(append(machines, observed...))
	if err := w.run("down", p, func(addr.Addr) any { return nil }); err != nil {
		return err
	}
	// An engine goes on with what a killed run asked of it, and may have made something since.
	late, err := w.docker.Observe(ctx, i)
	if err != nil {
		return err
	}
	if len(late) > 0 {
		if err := w.run("down", plan.Destroy(late), func(addr.Addr) any { return nil }); err != nil {
			return err
		}
	}
	if opts.volumes {
		if err := w.docker.RemoveVolumes(ctx, i); err != nil {
			return err
		}
	}
	if !opts.keepImages {
		if err := w.docker.RemoveImages(ctx, i); err != nil {
			return err
		}
	}
	kept, err := w.docker.Volumes(ctx, i)
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		a.say("Kept %d volume(s) and the credentials that go with them; \"envctl down --volumes\" removes them.", len(kept))
		return nil
	}
	if err := w.store.DeleteAll(ctx); err != nil {
		return fmt.Errorf("remove the environment's credentials: %w", err)
	}
	return nil
}
