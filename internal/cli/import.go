package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/composeimport"
)

type importOptions struct {
	out    string
	stdout bool
}

const (
	importedSpec    = "env" + envspec.Suffix
	importedSecrets = "secrets.auto.vars.hcl"
)

func (a *app) importCommand() *cobra.Command {
	var opts importOptions
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Make a spec from a Compose file",
		Long: `Make a spec from a Compose file, or from several that are merged in their order. Variables are taken from the
environment and the .env file beside it, as Compose does. What the language cannot say becomes a comment at its place,
which begins with "compose:", and is listed at the end. No file that is there already is changed.

Secrets of .env and env_file go to ` + importedSecrets + `, which does not belong into version control.`,
		Example: "  envctl import compose.yaml\n  envctl import compose.yaml compose.override.yaml -o ../booking\n  envctl import compose.yaml --stdout",
		Args:    cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importCompose(cmd.Context(), args, opts)
		},
	}
	c.Flags().StringVarP(&opts.out, "out", "o", "", "`folder` to write to; without it, the Compose file's")
	_ = c.MarkFlagDirname("out") // fails only for a flag that is not there
	c.Flags().BoolVar(&opts.stdout, "stdout", false, "print the spec in place of writing it")
	return c
}

func (a *app) importCompose(ctx context.Context, files []string, opts importOptions) error {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = a.abs(f)
	}
	dir := filepath.Dir(paths[0])
	if opts.out != "" {
		dir = a.abs(opts.out)
	}
	if !opts.stdout {
		if err := a.nothingToOverwrite(dir); err != nil {
			return err
		}
	}
	r, err := composeimport.Import(ctx, composeimport.Options{Files: paths, Dir: dir, Environ: a.Getenv})
	if err != nil {
		return err
	}
	if opts.stdout {
		if _, err := a.Out.Write(r.Spec); err != nil {
			return err
		}
	} else if err := writeImported(dir, r); err != nil {
		return err
	}
	a.reportImport(dir, r, opts)
	return nil
}

// nothingToOverwrite refuses a folder that has a spec: another file would be read as part of it.
func (a *app) nothingToOverwrite(dir string) error {
	specs, err := filepath.Glob(filepath.Join(dir, "*"+envspec.Suffix))
	if err != nil {
		return fmt.Errorf("look for specs in %s: %w", dir, err)
	}
	for _, path := range append(specs, filepath.Join(dir, importedSecrets)) {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already and is left as it is; name another folder with -o, or print with --stdout", a.shorten(path))
		}
	}
	return nil
}

func writeImported(dir string, r *composeimport.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder for the spec: %w", err)
	}
	if len(r.Secrets) > 0 {
		if err := create(filepath.Join(dir, importedSecrets), r.Secrets, 0o600); err != nil {
			return err
		}
	}
	return create(filepath.Join(dir, importedSpec), r.Spec, 0o644)
}

// create writes a file that is not there yet.
func create(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write what was imported: %w", err)
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// reportImport says on standard error what became of the Compose file.
func (a *app) reportImport(dir string, r *composeimport.Result, opts importOptions) {
	if a.quiet {
		return
	}
	where := a.shorten(filepath.Join(dir, importedSpec))
	if opts.stdout {
		where = importedSpec
	} else {
		fmt.Fprintf(a.Err, "Wrote %s: %d of %d services became containers.\n", where, r.Containers, r.Services)
	}
	switch {
	case len(r.Secrets) > 0 && opts.stdout:
		fmt.Fprintf(a.Err, "Variables without a default had secrets of .env or env_file: give them in %s or ENVCTL_VAR_….\n", importedSecrets)
	case len(r.Secrets) > 0:
		fmt.Fprintf(a.Err, "Wrote %s with the secrets of .env and env_file. Keep it out of version control.\n", a.shorten(filepath.Join(dir, importedSecrets)))
	}
	if len(r.Left) == 0 {
		fmt.Fprintln(a.Err, "Everything was carried over.")
		return
	}
	var b strings.Builder
	for _, l := range r.Left {
		fmt.Fprintf(&b, "  %s:%d: %s\n", where, l.Line, l.Text)
	}
	fmt.Fprintf(a.Err, "Not carried over as it was, with a comment at its place:\n%s", b.String())
}
