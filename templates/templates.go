// Package templates holds the environments that envctl brings along, each a folder in which
// `envctl up` works as it stands. What is written for a person is the environment: the spec, the
// files that it names and the installers. The source of what an installer holds stays in envctl's
// repository.
package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed quickstart/*.hcl quickstart/*.md quickstart/db quickstart/booking quickstart/installers
var embedded embed.FS

// needed are files that a build may lack and a template does not work without.
var needed = map[string][]string{
	"quickstart": {"installers/pas.msi"},
}

// ErrMissing is wrapped by Write's error when this binary was built without a template's installers.
var ErrMissing = errors.New("this envctl was built without the template's installers")

// List gives the names of the templates, sorted.
func List() []string { return list(embedded) }

// Write puts a template's files into dir, which is made where it is not there. It writes nothing when
// a file of that name is there already, or when this binary does not carry all that the template needs.
func Write(name, dir string) error { return write(embedded, name, dir) }

func list(from fs.FS) []string {
	entries, err := fs.ReadDir(from, ".")
	if err != nil {
		return nil // an embedded file system always has a root
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

func write(from fs.FS, name, dir string) error {
	if !slices.Contains(list(from), name) {
		return fmt.Errorf("there is no template %q; there are: %s", name, strings.Join(list(from), ", "))
	}
	for _, file := range needed[name] {
		if _, err := fs.Stat(from, path.Join(name, file)); err != nil {
			return fmt.Errorf("%w: %s of %s is not in it; get a released envctl, or run `make build` in its source folder and use bin/envctl", ErrMissing, file, name)
		}
	}
	root, err := fs.Sub(from, name)
	if err != nil {
		return fmt.Errorf("open template %s: %w", name, err)
	}
	var files []string
	err = fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(p), ".") {
			return err
		}
		files = append(files, p)
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(p))); err == nil {
			return fmt.Errorf("%s is there already; name an empty folder, or remove it first", filepath.Join(dir, filepath.FromSlash(p)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range files {
		if err := copyFile(root, p, filepath.Join(dir, filepath.FromSlash(p))); err != nil {
			return fmt.Errorf("write template %s: %w", name, err)
		}
	}
	return nil
}

func copyFile(from fs.FS, name, to string) error {
	content, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasSuffix(name, ".sh") {
		mode = 0o755 // an embedded file has no mode of its own
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
