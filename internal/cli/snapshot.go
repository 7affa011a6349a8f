package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

func (a *app) snapshotCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "Save and restore what is in the named volumes",
		Long: `Save and restore what is in the environment's named volumes. Containers that hold one are stopped meanwhile, in the
order of what depends on what, and started again. Snapshots are volumes of the engine themselves: nothing of them
lies on this computer's disk, and "envctl down --volumes" removes them too.`,
		Example: "  envctl snapshot save before-migration\n  envctl snapshot restore before-migration",
		Args:    noSuchCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var agreed consent
	save := &cobra.Command{
		Use: "save NAME", Short: "Copy the named volumes under a name", Args: cobra.ExactArgs(1),
		Example: "  envctl snapshot save before-migration",
		RunE:    func(_ *cobra.Command, args []string) error { return a.snapshotSave(args[0]) },
	}
	restore := &cobra.Command{
		Use: "restore NAME", Short: "Make the named volumes hold what they held", Args: cobra.ExactArgs(1),
		Long:    "Make the named volumes hold what they held when the snapshot was saved. What they hold now is lost.",
		Example: "  envctl snapshot restore before-migration --yes",
		RunE:    func(_ *cobra.Command, args []string) error { return a.snapshotRestore(args[0], agreed) },
	}
	agreed.flags(restore)
	list := &cobra.Command{
		Use: "list", Short: "List the snapshots", Args: noArgs, Example: "  envctl snapshot list --json",
		RunE: func(*cobra.Command, []string) error { return a.snapshotList() },
	}
	rm := &cobra.Command{
		Use: "rm NAME...", Short: "Remove snapshots", Args: cobra.MinimumNArgs(1), Example: "  envctl snapshot rm before-migration",
		RunE: func(_ *cobra.Command, args []string) error { return a.snapshotRemove(args) },
	}
	for _, sub := range []*cobra.Command{save, restore, list, rm} {
		a.specFlags(sub)
		wrapArgs(sub)
		c.AddCommand(sub)
	}
	return c
}

var snapshotName = lazyregexp.New(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

// snapshots opens the spec's instance, with its lock where something is going to be changed.
func (a *app) snapshots(changes bool, do func(context.Context, *session, []docker.Snapshot) error) error {
	ctx := a.interrupts.stop
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	if changes {
		held, err := a.lockInstance(ctx, s.instance)
		if err != nil {
			return err
		}
		defer held.Release()
	}
	all, err := s.docker.Snapshots(ctx, s.instance)
	if err == nil {
		err = do(ctx, s, all)
	}
	if err != nil && ctx.Err() != nil {
		return errors.Join(errInterrupted, err)
	}
	return err
}

func findSnapshot(all []docker.Snapshot, name string) (docker.Snapshot, error) {
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return docker.Snapshot{}, fmt.Errorf("there is no snapshot %q, and no other; \"envctl snapshot save\" makes one", name)
	}
	return docker.Snapshot{}, fmt.Errorf("there is no snapshot %q; there is %s", name, join(names))
}

func (a *app) snapshotSave(name string) error {
	if !snapshotName.MatchString(name) {
		return usagef("the name of a snapshot may hold letters, digits, dots, dashes and underscores, 63 at the most; not %q", name)
	}
	return a.snapshots(true, func(ctx context.Context, s *session, all []docker.Snapshot) error {
		if old, err := findSnapshot(all, name); err == nil {
			if old.Complete {
				return fmt.Errorf("there is a snapshot %q already; remove it with \"envctl snapshot rm %s\", or take another name", name, name)
			}
			if err := s.docker.RemoveSnapshot(ctx, s.instance, name); err != nil {
				return err
			}
		}
		volumes, err := s.docker.NamedVolumes(ctx, s.instance)
		if err != nil {
			return err
		}
		if len(volumes) == 0 {
			return errors.New("no named volume of this environment is there, so there is nothing to save")
		}
		err = s.quietly(ctx, volumes, func(node blob.Blob) error { return s.docker.Save(ctx, s.instance, name, volumes, node) })
		if err != nil {
			cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			return errors.Join(err, s.docker.RemoveSnapshot(cleanup, s.instance, name))
		}
		a.say("Saved %d volume(s) as %s.", len(volumes), name)
		return nil
	})
}

func (a *app) snapshotRestore(name string, agreed consent) error {
	return a.snapshots(true, func(ctx context.Context, s *session, all []docker.Snapshot) error {
		snap, err := findSnapshot(all, name)
		if err != nil {
			return err
		}
		if !snap.Complete {
			return fmt.Errorf("the snapshot %q is not whole: its making was cut short; \"envctl snapshot rm %s\" removes it", name, name)
		}
		if err := a.ask(agreed, fmt.Sprintf("Replace what is in %d volume(s) by what was there on %s?", len(snap.Volumes), snap.Made.Local().Format(time.DateTime))); err != nil {
			return err
		}
		err = s.quietly(ctx, snap.Volumes, func(node blob.Blob) error { return s.docker.Restore(ctx, s.instance, snap, node) })
		if err == nil {
			a.say("Restored %d volume(s) from %s.", len(snap.Volumes), name)
		}
		return err
	})
}

// quietly does something while no container runs that holds one of the volumes. What ran before runs afterwards,
// however it went.
func (s *session) quietly(ctx context.Context, volumes []docker.NamedVolume, do func(node blob.Blob) error) error {
	h, err := s.world.helpers(ctx)
	if err != nil {
		return err
	}
	if err := s.observe(ctx); err != nil {
		return err
	}
	if err := s.evaluate(ctx); err != nil {
		return err
	}
	holding, err := s.docker.Holders(ctx, s.instance, volumes)
	if err != nil {
		return err
	}
	var holders []providers.Observed
	for _, o := range s.observed {
		runs := o.State == providers.Ready || o.State == providers.Starting || o.State == providers.Failed && o.Detail != providers.Incomplete
		if runs && slices.Contains(holding, o.Addr) {
			holders = append(holders, o)
		}
	}
	err = inReverse(ctx, holders, s.powerOff)
	if err == nil {
		err = do(h.Node)
	}
	// Also after Ctrl-C; a second one ends this too.
	return errors.Join(err, inOrder(s.interrupts.now, holders, s.powerOn))
}

type snapshotsOutput struct {
	Format    int            `json:"format"`
	Snapshots []snapshotLine `json:"snapshots"`
}

type snapshotLine struct {
	Name     string    `json:"name"`
	Made     time.Time `json:"made"`
	Complete bool      `json:"complete"`
	Volumes  []string  `json:"volumes"` // "container.db data"
}

func (a *app) snapshotList() error {
	return a.snapshots(false, func(_ context.Context, _ *session, all []docker.Snapshot) error {
		out := snapshotsOutput{Format: view.Format, Snapshots: []snapshotLine{}}
		rows := [][]string{{"SNAPSHOT", "MADE", "VOLUMES"}}
		for _, s := range all {
			l := snapshotLine{Name: s.Name, Made: s.Made, Complete: s.Complete, Volumes: []string{}}
			for _, v := range s.Volumes {
				l.Volumes = append(l.Volumes, v.String())
			}
			out.Snapshots = append(out.Snapshots, l)
			made := s.Made.Local().Format(time.DateTime)
			if !s.Complete {
				made += " (not whole)"
			}
			rows = append(rows, []string{s.Name, made, join(l.Volumes)})
		}
		if a.json {
			return json.NewEncoder(a.Out).Encode(out)
		}
		return view.Table(a.Out, rows, a.colorOut())
	})
}

func (a *app) snapshotRemove(names []string) error {
	return a.snapshots(true, func(ctx context.Context, s *session, all []docker.Snapshot) error {
		for _, name := range names {
			if _, err := findSnapshot(all, name); err != nil {
				return err
			}
		}
		for _, name := range names {
			if err := s.docker.RemoveSnapshot(ctx, s.instance, name); err != nil {
				return err
			}
		}
		return nil
	})
}
