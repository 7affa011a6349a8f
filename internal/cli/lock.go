package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/resolve"
)

func (a *app) lockCommand() *cobra.Command {
	var o lockOptions
	c := &cobra.Command{
		Use:   "lock [NAME...]",
		Short: "Hold images, installers, scripts and templates to what they are now",
		Long: `Write envctl.lock.hcl beside the spec: the digest of each image and of each base image of a build, the sha256 of
each installer and archive of a Windows machine, of each file that its scripts are read from with file() or
templatefile(), and of each template's folder. Commit it. "envctl up" then runs these images wherever and whenever
it is called, and refuses another installer or script.

What is locked stays as it is: only what is missing is added, and templates follow their folders. With --upgrade,
tags are asked for anew, installers and scripts taken as they are on disk, and what the spec no longer names is dropped; with
NAMEs (an image as the spec writes it, a file's path) that is done for those alone.

Several variables' values may need several runs, which add up.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && !o.upgrade {
				return errors.New("names are for --upgrade: what is to be locked anew")
			}
			if o.upgrade && o.check {
				return errors.New("--check writes nothing, so there is nothing to --upgrade")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { o.names = args; return a.lock(o) },
	}
	a.specFlags(c)
	c.Flags().BoolVar(&o.upgrade, "upgrade", false, "ask for all anew, or for what is named")
	c.Flags().BoolVar(&o.check, "check", false, "write nothing; exit with 1 where the lock is not complete")
	return c
}

// frozenFlag is for the commands that use the lock.
func (a *app) frozenFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.frozen, "frozen", false, "refuse where envctl.lock.hcl is missing or does not hold all that is used (for CI)")
}

type lockOptions struct {
	upgrade, check bool
	names          []string
}

// upgrades reports whether an item is to be asked for anew.
func (o lockOptions) upgrades(name string) bool {
	return o.upgrade && (len(o.names) == 0 || slices.Contains(o.names, name))
}

func (a *app) lock(o lockOptions) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	ctx := a.interrupts.stop
	old, err := s.loadLock()
	if err != nil {
		return err
	}
	// What can be locked takes neither an address nor a secret, so that it is known without the world.
	env, diags := s.spec.Evaluate(specimen{}, specimen{})
	if err := s.refuse(s.spec, diags); err != nil {
		return err
	}
	if len(env.Containers) > 0 { // else no engine is needed
		if old.platform, err = s.docker.Platform(ctx); err != nil {
			return err
		}
	}
	wants, err := resolve.Find(s.lockInput(env, old))
	if err != nil {
		return err
	}
	if o.check {
		if gaps := wants.Gaps(old.lock); len(gaps) > 0 {
			return frozenError(gaps)
		}
		return nil
	}
	if err := o.known(wants); err != nil {
		return err
	}
	changed := slices.DeleteFunc(wants.CheckFiles(old.lock), func(d resolve.FileFault) bool { return o.upgrades(d.Path) })
	if err := s.refuseLock(old, resolve.Diagnostics(changed)); err != nil {
		return err
	}
	next, err := resolve.Update(ctx, old.lock, wants, s.docker, webFiles{s.world}, o.upgrades, o.upgrade && len(o.names) == 0)
	if err != nil {
		return err
	}
	changes := resolve.Changes(old.lock, next)
	if text := next.Bytes(); old.file == nil || !bytes.Equal(text, old.file.Bytes) { // a merge may have left it unsorted
		if err := replaceFile(old.path, text); err != nil {
			return fmt.Errorf("writing the lock: %w", err)
		}
	}
	return a.printLock(changes)
}

// known refuses a name that nothing has.
func (o lockOptions) known(w *resolve.Wants) error {
	var there []string
	for _, i := range w.Images {
		there = append(there, i.Ref)
	}
	for _, f := range w.Files {
		there = append(there, f.Path)
	}
	for _, t := range w.Templates {
		there = append(there, t.Source)
	}
	for _, name := range o.names {
		if !slices.Contains(there, name) {
			slices.Sort(there)
			return usagef("the spec has nothing to lock that is called %q; it has %s", name, strings.Join(slices.Compact(there), ", "))
		}
	}
	return nil
}

type lockOutput struct {
	Format  int          `json:"format"`
	Changes []lockChange `json:"changes"`
}

type lockChange struct {
	Item string `json:"item"`
	From string `json:"from"`
	To   string `json:"to"`
}

func (a *app) printLock(changes []resolve.Change) error {
	if a.json {
		out := lockOutput{Format: 1, Changes: []lockChange{}}
		for _, c := range changes {
			out.Changes = append(out.Changes, lockChange{Item: c.Item, From: c.From, To: c.To})
		}
		return json.NewEncoder(a.Out).Encode(out)
	}
	var local []string
	for _, c := range changes {
		switch {
		case c.From == "":
			fmt.Fprintf(a.Out, "+ %s: %s\n", c.Item, short(c.To))
		case c.To == "":
			fmt.Fprintf(a.Out, "- %s: the spec no longer names it\n", c.Item)
		default:
			fmt.Fprintf(a.Out, "~ %s: %s, was %s\n", c.Item, short(c.To), short(c.From))
		}
		if c.Local {
			local = append(local, c.Item)
		}
	}
	if len(changes) == 0 {
		a.say("%s holds all that is used.", envspec.LockName)
	}
	for _, item := range local {
		a.say("Warning: %s is on this computer's engine alone, and locked by its id: push it to a registry for others to use this lock.", item)
	}
	return nil
}

// short is as much of a digest as tells it from others.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// replaceFile writes a file whole or not at all.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
