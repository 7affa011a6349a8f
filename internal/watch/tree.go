package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// entry is one file, folder or link of the host.
type entry struct {
	path string // on the host
	name string // from the spec's folder
	rule *rule
	info fs.FileInfo
	link string    // where a link points
	read time.Time // when info was asked for
}

// tree has entries by what they are in the container: its path there, or for what is only watched, its block and name.
type tree struct{ sync, only map[string]entry }

func newTree() tree { return tree{map[string]entry{}, map[string]entry{}} }

// scan looks at all that the rules speak of.
func (r *Rules) scan(ctx context.Context) (tree, error) {
	t := newTree()
	for _, b := range r.blocks {
		for _, root := range b.roots {
			if err := b.walk(ctx, t, root, root.path); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// look takes one path of the host, and what is below it, anew into a tree.
func (r *Rules) look(ctx context.Context, t tree, file string) error {
	for _, m := range []map[string]entry{t.sync, t.only} {
		for key, e := range m {
			if _, in := below(e.path, file); in {
				delete(m, key)
			}
		}
	}
	for _, b := range r.blocks {
		for _, root := range b.roots {
			at := file
			if _, above := below(root.path, file); above {
				at = root.path
			} else if _, in := below(file, root.path); !in {
				continue
			}
			if err := b.walk(ctx, t, root, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk adds what is at a path of a root, and below it, to a tree. What goes away meanwhile is not there.
func (r *rule) walk(ctx context.Context, t tree, in root, from string) error {
	rest, _ := below(from, in.path)
	for at := path.Dir(filepath.ToSlash(rest)); rest != "" && at != "."; at = path.Dir(at) {
		if _, skip := r.ignored(path.Join(in.name, at)); skip {
			return nil // it is in a folder that is left alone
		}
	}
	rootIsDir := true
	if is, err := os.Stat(in.path); err == nil {
		rootIsDir = is.IsDir()
	}
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return gone(err)
		}
		rest, _ := below(file, in.path)
		name := path.Join(in.name, filepath.ToSlash(rest))
		ignored, skip := r.ignored(name)
		if skip && d.IsDir() {
			return filepath.SkipDir
		}
		if ignored || rest == "" && rootIsDir {
			return nil // the folder that is synced to keeps its own mode
		}
		unsent, skip := r.unsent(file)
		if skip && d.IsDir() && rest != "" && !in.named {
			return filepath.SkipDir
		}
		e, ok, err := r.stat(file, name)
		if !ok || err != nil {
			return err
		}
		if r.sync == "" || unsent || in.named {
			t.only[fmt.Sprintf("%p:%s", r, name)] = e // another block may say something else of it
			return nil
		}
		target := path.Join(r.sync, filepath.ToSlash(rest))
		if rest == "" {
			target = path.Join(r.sync, path.Base(in.name))
		}
		t.sync[target] = e
		return nil
	})
}

// stat gives false for what is gone, and for sockets and the like.
func (r *rule) stat(file, name string) (e entry, ok bool, err error) {
	e = entry{path: file, name: name, rule: r, read: time.Now()}
	if e.info, err = os.Lstat(file); err != nil {
		return e, false, gone(err)
	}
	if e.info.Mode()&fs.ModeSymlink != 0 {
		if e.link, err = os.Readlink(file); err != nil {
			return e, false, gone(err)
		}
		e.link = filepath.ToSlash(e.link)
	}
	return e, e.info.IsDir() || e.info.Mode().IsRegular() || e.link != "", nil
}

// gone turns the error of what is not there any more into nil.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "not a directory") {
		return nil
	}
	return err
}

// doubt is how close to being read a file may have been written so that its time does not tell whether it was
// written again: file systems count in steps, the longest of 2 s (FAT).
const doubt = 2 * time.Second

// same reports whether an entry looks as it did when was was read.
func (e entry) same(was entry) bool {
	if e.info.Mode() != was.info.Mode() || e.link != was.link {
		return false
	}
	if !e.info.Mode().IsRegular() {
		return true
	}
	return e.info.Size() == was.info.Size() && e.info.ModTime().Equal(was.info.ModTime()) && os.SameFile(e.info, was.info)
}

// doubtful reports whether an entry may be another one by now though it looks the same.
func (e entry) doubtful() bool {
	return e.info.Mode().IsRegular() && e.read.Sub(e.info.ModTime()) < doubt
}

// mode gives an entry's permissions as tar has them. Windows knows none: better too executable than not at all.
func (e entry) mode() int64 {
	if runtime.GOOS == "windows" {
		return 0o755
	}
	m := int64(e.info.Mode().Perm())
	for bit, tar := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.info.Mode()&bit != 0 {
			m |= tar
		}
	}
	return m
}
