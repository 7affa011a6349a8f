package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

type pruneOptions struct {
	consent
	named, volumes       bool
	environments, images bool // only these; without either, both
	only                 []string
}

func (a *app) pruneCommand() *cobra.Command {
	var o pruneOptions
	c := &cobra.Command{
		Use:   "prune [INSTANCE...]",
		Short: "Remove what no spec stands behind any more",
		Long: `Remove from this engine the environments that were made from a folder of this computer which is gone, and the
images that envctl built and nothing uses. With instances, only those of the environments, and no images. What goes
is shown first, and asked about.

Whether the folder of an instance that was named with --name was on this computer is not known: those are left,
unless --named is given. Named volumes and the credentials that go with them stay without --volumes. Images made
within the last hour stay too: their containers may be on the way.`,
		Example: "  envctl prune\n  envctl prune --volumes --yes\n  envctl prune --json --no-input",
		RunE:    func(_ *cobra.Command, args []string) error { o.only = args; return a.prune(o) },
	}
	o.flags(c)
	c.Flags().BoolVar(&o.named, "named", false, "also instances with a name that was given, as CI gives them")
	c.Flags().BoolVar(&o.volumes, "volumes", false, "remove their named volumes and generated credentials too")
	c.Flags().BoolVar(&o.environments, "environments", false, "only environments")
	c.Flags().BoolVar(&o.images, "images", false, "only images")
	return c
}

// settled is how old an image is that no container will be made from any more.
const settled = time.Hour

type pruneOutput struct {
	Format       int           `json:"format"`
	Environments []prunedEnv   `json:"environments"`
	Images       []prunedImage `json:"images"`
	Removed      bool          `json:"removed"`
}

type prunedEnv struct {
	Environment string   `json:"environment"`
	Instance    string   `json:"instance"`
	SpecDir     string   `json:"spec_dir"`
	Holds       []string `json:"holds"` // "container x", "volume y"
}

type prunedImage struct {
	Image string `json:"image"`
	Bytes int64  `json:"bytes"`
}

func (a *app) prune(o pruneOptions) error {
	ctx := a.interrupts.stop
	w, err := a.world(providers.Instance{})
	if err != nil {
		return err
	}
	defer w.close()
	out := pruneOutput{Format: view.Format, Environments: []prunedEnv{}, Images: []prunedImage{}}
	if len(o.only) > 0 {
		o.environments = true
	}
	both := o.environments == o.images
	var orphans []providers.Instance
	if o.environments || both {
		if orphans, err = w.orphans(ctx, o, &out); err != nil {
			return err
		}
	}
	var images []docker.Image
	if o.images || both {
		now, err := w.docker.Now(ctx)
		if err != nil {
			return err
		}
		if images, err = w.docker.UnusedImages(ctx, now.Add(-settled)); err != nil {
			return err
		}
	}
	for _, img := range images {
		name := img.Name
		if name == "" {
			name = img.ID
		}
		out.Images = append(out.Images, prunedImage{name, img.Bytes})
	}
	if len(orphans)+len(images) == 0 {
		a.say("Nothing to remove.")
		return a.printPrune(out)
	}
	if err := a.printPrune(out); !a.json && err != nil {
		return err
	}
	err = a.ask(o.consent, fmt.Sprintf("Remove %d environment(s) and %d image(s)?", len(orphans), len(images)))
	if err == nil {
		err = w.pruneAll(ctx, orphans, images, o)
		out.Removed = err == nil
	}
	if a.json {
		return errors.Join(err, json.NewEncoder(a.Out).Encode(out))
	}
	return err
}

// pruneAll removes; one thing that stays keeps no other from going.
func (w *world) pruneAll(ctx context.Context, orphans []providers.Instance, images []docker.Image, o pruneOptions) error {
	var errs []error
	for _, i := range orphans {
		// Images are asked about by themselves.
		if err := w.downInstance(i, downOptions{volumes: o.volumes, keepImages: true}); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", i.Environment, i.ID, err))
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, errInterrupted)...)
		}
	}
	_ = os.Remove(w.stateDir()) // goes with the last thing in it
	return errors.Join(append(errs, w.docker.RemoveUnused(ctx, images))...)
}

// orphans finds the instances whose folder is gone and that still hold what may be removed.
func (w *world) orphans(ctx context.Context, o pruneOptions, out *pruneOutput) ([]providers.Instance, error) {
	all, err := w.docker.Instances(ctx)
	if err != nil {
		return nil, err
	}
	var found []providers.Instance
	for _, i := range all {
		if !orphan(i, o.named) || len(o.only) > 0 && !slices.Contains(o.only, i.ID) {
			continue
		}
		things, err := w.docker.Leftovers(ctx, i)
		if err != nil {
			return nil, err
		}
		env := prunedEnv{Environment: i.Environment, Instance: i.ID, SpecDir: i.SpecDir}
		for _, t := range things {
			if t.Kind != "image" && (t.Kind != "volume" || o.volumes) {
				env.Holds = append(env.Holds, t.String())
			}
		}
		if len(env.Holds) > 0 {
			slices.Sort(env.Holds)
			found, out.Environments = append(found, i), append(out.Environments, env)
		}
	}
	return found, nil
}

// orphan reports whether an instance was made from a folder of this computer that is gone. An id that is the hash of
// this computer and the folder says that it was this computer's.
func orphan(i providers.Instance, named bool) bool {
	if i.SpecDir == "" {
		return false
	}
	if _, err := os.Stat(i.SpecDir); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return named || i.ID == folderID(i.SpecDir) || i.ID == folderID(formerly(i.SpecDir))
}

// formerly gives the real path that a folder had: of what is left of it, links are followed.
func formerly(dir string) string {
	rest := ""
	for at := dir; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return dir
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// printPrune says what goes.
func (a *app) printPrune(out pruneOutput) error {
	if a.json {
		if len(out.Environments)+len(out.Images) > 0 {
			return nil // at the end, when it is known whether it went
		}
		return json.NewEncoder(a.Out).Encode(out)
	}
	if len(out.Environments) > 0 {
		rows := [][]string{{"ENVIRONMENT", "INSTANCE", "HOLDS", "ITS FOLDER, WHICH IS GONE"}}
		for _, e := range out.Environments {
			rows = append(rows, []string{e.Environment, e.Instance, strings.Join(e.Holds, ", "), e.SpecDir})
		}
		if err := view.Table(a.Out, rows, a.colorOut()); err != nil {
			return err
		}
	}
	if len(out.Images) == 0 {
		return nil
	}
	rows := [][]string{{"IMAGE", "SIZE"}}
	for _, i := range out.Images {
		rows = append(rows, []string{i.Image, view.Size(i.Bytes)})
	}
	return view.Table(a.Out, rows, a.colorOut())
}
