// Package resolve finds what the names in a spec mean and holds them to the lock file: an image's tag to its
// digest, an installer, a script and a template to the sha256 of their content. It decides and compares; the lock's
// format is envspec's, and the engine and registries are asked through an interface.
package resolve

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/guestproto"
)

// Wants are the items that a lock for a spec has to have, sorted, each once.
type Wants struct {
	Images    []Image
	Files     []File
	Templates []Template
}

// Image is an image that is to be locked.
type Image struct {
	Ref      string // as written in the spec or a Dockerfile
	Platform string
	// Pinned says that the spec itself chose the platform, so that no other is of use.
	Pinned bool
	Users  []addr.Addr
}

// File is an installer or archive that a layer names, or a file that a script was read from.
type File struct {
	Path   string // as envspec.LockedFile has it
	URL    string // where it is fetched, with the query that Path lacks; "" for a file of this computer
	SHA256 string // of what lies there now; "" for a URL, until someone fetches it
	Users  []addr.Addr
}

// Template is a template's folder.
type Template struct {
	Source string // as envspec.LockedTemplate has it
	SHA256 string // of what is in it now
	Name   string
}

// Input is what wants are found from.
type Input struct {
	Dir         string // the spec's folder
	Environment *envspec.Environment
	Templates   []envspec.TemplateDecl
	Platform    string // the engine's own, "linux/amd64"
	// Bases lists the images that a build starts from, as its Dockerfile names them.
	Bases func(*envspec.Build) ([]string, error)
}

// Find lists what a lock has to hold. What the spec gives by digest or id is fixed without one.
func Find(in Input) (*Wants, error) {
	var w Wants
	for _, c := range in.Environment.Containers {
		refs := []string{c.Image}
		if c.Build != nil {
			var err error
			if refs, err = in.Bases(c.Build); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Addr, err)
			}
		}
		for _, ref := range refs {
			if movable(ref) {
				w.image(Image{Ref: ref, Platform: cmp.Or(c.Platform, in.Platform), Pinned: c.Platform != "", Users: []addr.Addr{c.Addr}})
			}
		}
	}
	for _, m := range in.Environment.Machines {
		for _, l := range m.Layers {
			if err := w.source(in.Dir, m.Addr, l); err != nil {
				return nil, err
			}
			if l.Script != nil {
				for _, f := range l.Script.Files {
					w.file(File{Path: relative(in.Dir, f.Path), SHA256: f.SHA256, Users: []addr.Addr{m.Addr}})
				}
			}
		}
	}
	for _, t := range in.Templates {
		if err := w.template(in.Dir, t); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(w.Images, func(a, b Image) int { return cmp.Or(cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Platform, b.Platform)) })
	slices.SortFunc(w.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(w.Templates, func(a, b Template) int { return cmp.Compare(a.Source, b.Source) })
	return &w, nil
}

// movable reports whether a name may mean another image tomorrow.
func movable(ref string) bool {
	if ref == "" || strings.HasPrefix(ref, "sha256:") {
		return false
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return false // the engine says what is wrong with it
	}
	_, fixed := named.(reference.Digested)
	return !fixed
}

// source takes the file that a layer brings in. What the spec fixes the sum of is not locked where it is fetched; what a
// file layer copies from this computer is edited like the spec itself, and not locked either.
func (w *Wants) source(dir string, user addr.Addr, l guestproto.Layer) error {
	s := l.Source()
	switch {
	case s == nil, s.URL != "" && s.SHA256 != "", s.URL == "" && l.File != nil:
		return nil
	case s.URL == "":
		w.file(File{Path: relative(dir, s.Path), SHA256: s.SHA256, Users: []addr.Addr{user}})
		return nil
	}
	for _, have := range w.Files {
		if have.Path == s.Where() && have.URL != s.URL {
			return fmt.Errorf("%s: %s: two URLs %s differ in their query alone, which the lock does not keep: write the sha256 of each into the spec", user, l.ID(), s.Where())
		}
	}
	w.file(File{Path: s.Where(), URL: s.URL, Users: []addr.Addr{user}})
	return nil
}

// relative is a path from the spec's folder with slashes; absolute where there is no way from one to the other.
func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path)
}

func (w *Wants) image(i Image) {
	for n, have := range w.Images {
		if have.Ref == i.Ref && have.Platform == i.Platform {
			w.Images[n].Pinned = have.Pinned && i.Pinned
			w.Images[n].Users = append(have.Users, i.Users...)
			return
		}
	}
	w.Images = append(w.Images, i)
}

func (w *Wants) file(f File) {
	for n, have := range w.Files {
		if have.Path == f.Path {
			w.Files[n].Users = append(have.Users, f.Users...)
			return
		}
	}
	w.Files = append(w.Files, f)
}

func (w *Wants) template(dir string, t envspec.TemplateDecl) error {
	source := relative(dir, t.Dir)
	if slices.ContainsFunc(w.Templates, func(have Template) bool { return have.Source == source }) {
		return nil
	}
	sum, err := folderSum(t.Dir)
	if err != nil {
		return fmt.Errorf("template.%s: %w", t.Name, err)
	}
	w.Templates = append(w.Templates, Template{Source: source, SHA256: sum, Name: t.Name})
	return nil
}
