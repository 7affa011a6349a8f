package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/view"
)

type fmtOptions struct{ check, diff bool }

func (a *app) fmtCommand() *cobra.Command {
	var opts fmtOptions
	c := &cobra.Command{
		Use:   "fmt [FILE | DIR | -]...",
		Short: "Give spec files their usual layout",
		Long: `Give spec files their usual layout, and print the names of those that changed. Of a folder these are its
*` + envspec.Suffix + ` and *.vars.hcl files; without an argument it is the spec's folder. With -, standard input is
formatted to standard output. A file that cannot be parsed is left alone, its mistakes are shown, and the exit code is 1.`,
		Example: "  envctl fmt\n  envctl fmt --check --diff templates/billing\n  envctl fmt - < draft.envctl.hcl",
		RunE:    func(_ *cobra.Command, args []string) error { return a.format(args, opts) },
	}
	c.Flags().BoolVar(&opts.check, "check", false, "change nothing; exit with 1 where a file is not formatted")
	c.Flags().BoolVar(&opts.diff, "diff", false, "show the changes; with --check or -, in place of making them")
	return c
}

// formatting is one run of fmt: what it found, and what of it.
type formatting struct {
	*app
	fmtOptions
	changed []string
	files   map[string]*hcl.File // those with mistakes
	diags   hcl.Diagnostics
}

// Names in what fmt shows.
const (
	stdinName     = "<stdin>"
	formattedName = " (formatted)"
)

func (a *app) format(args []string, opts fmtOptions) error {
	names, err := a.filesToFormat(args)
	if err != nil {
		return err
	}
	f := &formatting{app: a, fmtOptions: opts, changed: []string{}, files: map[string]*hcl.File{}}
	for _, name := range names {
		if name == "-" {
			err = f.stdin()
		} else {
			err = f.file(name)
		}
		if err != nil {
			return err
		}
	}
	return f.end()
}

// filesToFormat are the files that arguments mean, as a person would name them.
func (a *app) filesToFormat(args []string) ([]string, error) {
	if len(args) == 0 && len(a.files) > 0 {
		args = a.files
	}
	if len(args) == 0 {
		dir, err := a.specDir()
		if err != nil {
			return nil, err
		}
		args = []string{dir}
	}
	var names []string
	for _, arg := range args {
		if arg == "-" {
			if len(args) > 1 {
				return nil, usagef("- stands for standard input, and cannot be together with files")
			}
			return args, nil
		}
		info, err := os.Stat(a.abs(arg))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file or folder %s to format", arg)
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			names = append(names, arg)
			continue
		}
		entries, err := os.ReadDir(a.abs(arg))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type().IsDir() || !strings.HasSuffix(e.Name(), envspec.Suffix) && !strings.HasSuffix(e.Name(), ".vars.hcl") {
				continue
			}
			names = append(names, a.shorten(filepath.Join(arg, e.Name())))
		}
	}
	return names, nil
}

// shorten gives a path as seen from where the command was called, if it lies there.
func (a *app) shorten(path string) string {
	if rel, err := filepath.Rel(a.Dir, a.abs(path)); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func (f *formatting) stdin() error {
	src, err := io.ReadAll(f.In)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	formatted, ok := f.one(stdinName, src)
	if !ok || f.json {
		return nil
	}
	if f.diff {
		return view.Diff(f.Out, stdinName, stdinName+formattedName, src, formatted, f.colorOut())
	}
	if f.check {
		return nil
	}
	_, err = f.Out.Write(formatted)
	return err
}

func (f *formatting) file(name string) error {
	path := f.abs(name)
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	formatted, ok := f.one(name, src)
	if !ok || bytes.Equal(src, formatted) {
		return nil
	}
	if !f.json && !f.quiet {
		fmt.Fprintln(f.Out, name)
	}
	if f.diff && !f.json {
		if err := view.Diff(f.Out, name, name+formattedName, src, formatted, f.colorOut()); err != nil {
			return err
		}
	}
	if f.check {
		return nil
	}
	return overwrite(path, formatted)
}

// one formats a source, and notes that it changed or what is wrong with it.
func (f *formatting) one(name string, src []byte) ([]byte, bool) {
	formatted, diags := envspec.Format(src, name)
	if diags.HasErrors() {
		f.files[name] = &hcl.File{Bytes: src}
		f.diags = append(f.diags, diags...)
		return nil, false
	}
	if !bytes.Equal(src, formatted) {
		f.changed = append(f.changed, name)
	}
	return formatted, true
}

func (f *formatting) end() error {
	if f.json {
		err := json.NewEncoder(f.Out).Encode(struct {
			Format      int                      `json:"format"`
			Changed     []string                 `json:"changed"`
			Diagnostics []envspec.JSONDiagnostic `json:"diagnostics"`
		}{view.Format, f.changed, append([]envspec.JSONDiagnostic{}, envspec.ToJSON(f.diags)...)})
		if err != nil {
			return err
		}
	} else if len(f.diags) > 0 {
		if err := envspec.WriteDiagnostics(f.Err, f.files, f.diags, f.width(), f.color()); err != nil {
			return err
		}
	}
	if f.diags.HasErrors() || f.check && len(f.changed) > 0 {
		return exit(ExitFailed)
	}
	return nil
}

// overwrite replaces a file's content at once, so that nobody meets half of it. What a link leads to is
// replaced, not the link.
func overwrite(path string, content []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return nil
}
