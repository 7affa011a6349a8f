package kit

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
)

// File is a file, a folder or a symbolic link.
type File struct {
	Path string // with slashes, from the folder that it is in
	Mode fs.FileMode
	Size int64
	// Time is in nanoseconds. BuildKit fetches a file anew where its size or time differ from what it was sent before.
	Time int64
	Link string
	Open func() (io.ReadCloser, error) // nil of what is no file
}

// stat is a File as a message (tonistiigi/fsutil, types/stat.proto).
func (f File) stat() []byte {
	msg := putNumber(putBytes(nil, 1, f.Path), 2, uint64(f.Mode))
	msg = putNumber(putNumber(msg, 5, uint64(f.Size)), 6, uint64(f.Time))
	return putBytes(msg, 7, f.Link)
}

// Dir is a folder's files: each folder among them is there, and before what is in it.
type Dir []File

// filter gives what BuildKit wants of a folder: what the patterns include, or what these paths lead to, and the
// patterns do not exclude; with each the folders that it is in. Without patterns that is all.
func (d Dir) filter(include, exclude, follow []string) (Dir, error) {
	include = slices.Clone(include)
	if len(follow) > 0 {
		include = append(include, d.follow(follow)...)
	}
	included, err := d.match(include, true)
	if err != nil {
		return nil, err
	}
	excluded, err := d.match(exclude, false)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for i, f := range d {
		if !included[i] || excluded[i] {
			continue
		}
		for p := f.Path; p != "." && !wanted[p]; p = path.Dir(p) {
			wanted[p] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(d), func(f File) bool { return !wanted[f.Path] }), nil
}

// match tells of each file whether the patterns match it, or a folder that it is in; none match as without says.
func (d Dir) match(patterns []string, without bool) ([]bool, error) {
	matched := make([]bool, len(d))
	if len(patterns) == 0 {
		for i := range matched {
			matched[i] = without
		}
		return matched, nil
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("BuildKit's patterns %q: %w", patterns, err)
	}
	above := map[string]patternmatcher.MatchInfo{}
	for i, f := range d {
		var info patternmatcher.MatchInfo
		if matched[i], info, err = m.MatchesUsingParentResults(filepath.FromSlash(f.Path), above[path.Dir(f.Path)]); err != nil {
			return nil, fmt.Errorf("BuildKit's patterns %q: %w", patterns, err)
		}
		if f.Mode.IsDir() {
			above[f.Path] = info
		}
	}
	return matched, nil
}

// follow resolves the links that paths lead through. The paths come with their targets; nil is the whole folder.
func (d Dir) follow(paths []string) []string {
	r := resolver{at: make(map[string]File, len(d)), in: map[string][]string{}, seen: map[string]bool{}}
	for _, f := range d {
		r.at[f.Path] = f
		r.in[path.Dir(f.Path)] = append(r.in[path.Dir(f.Path)], path.Base(f.Path))
	}
	for _, p := range paths {
		r.add(filepath.ToSlash(p))
	}
	if r.seen["."] {
		return nil
	}
	var found []string
	for p := range r.seen {
		found = append(found, p)
	}
	slices.SortFunc(found, cmp.Compare[string])
	return found
}

// resolver follows links in a folder.
type resolver struct {
	at   map[string]File
	in   map[string][]string // names by folder
	seen map[string]bool
}

func (r *resolver) add(p string) {
	rest := strings.TrimPrefix(path.Clean("/"+p), "/")
	current := "."
	for {
		name, after, more := strings.Cut(rest, "/")
		current, rest = path.Join(current, name), after
		targets := r.links(current)
		if targets == nil && more {
			continue
		}
		if r.seen[current] {
			return
		}
		r.seen[current] = true
		for _, t := range targets {
			r.add(path.Join(t, rest))
		}
		return
	}
}

// links gives where the links lead that a path is, or, where its last part has wildcards, those that it matches.
func (r *resolver) links(p string) (targets []string) {
	names := []string{path.Base(p)}
	if strings.ContainsAny(names[0], `*?[\`) {
		pattern := names[0]
		names = slices.DeleteFunc(slices.Clone(r.in[path.Dir(p)]), func(n string) bool {
			ok, err := path.Match(pattern, n)
			return err != nil || !ok
		})
	}
	for _, name := range names {
		f := r.at[path.Join(path.Dir(p), name)]
		switch {
		case f.Mode&fs.ModeSymlink == 0:
		case path.IsAbs(filepath.ToSlash(f.Link)):
			targets = append(targets, f.Link)
		default:
			targets = append(targets, path.Join("/", path.Dir(p), filepath.ToSlash(f.Link)))
		}
	}
	return targets
}
