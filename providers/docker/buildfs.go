package docker

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// buildFS is a build's context as BuildKit asks for it: folder by folder, and only what it lacks.
type buildFS struct {
	entries []entry // each folder before what is in it
	at      map[string]entry
}

// fs gives the context, with the content of every file hashed.
func (c *buildContext) fs() (*buildFS, error) {
	if err := c.hash(io.Discard); err != nil {
		return nil, err
	}
	entries, err := c.entries()
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if e := &entries[i]; e.open != nil && e.size < 0 {
			content, size, err := e.open()
			if err != nil {
				return nil, err
			}
			_ = content.Close() // nothing was read of it
			e.size = size
		}
	}
	return newBuildFS(entries), nil
}

func newBuildFS(entries []entry) *buildFS {
	f := &buildFS{at: make(map[string]entry, len(entries))}
	add := func(e entry) {
		if _, there := f.at[e.path]; !there {
			f.at[e.path] = e
			f.entries = append(f.entries, e)
		}
	}
	for _, e := range entries {
		// A folder that .dockerignore names may hold what it excepts, and files in memory come without theirs.
		for i, r := range e.path {
			if r == '/' {
				add(entry{path: e.path[:i], mode: fs.ModeDir | 0o755, time: time.Unix(0, 0)})
			}
		}
		add(e)
	}
	slices.SortFunc(f.entries, func(a, b entry) int {
		return slices.Compare(strings.Split(a.path, "/"), strings.Split(b.path, "/"))
	})
	return f
}

// Walk visits all that is in target.
func (f *buildFS) Walk(ctx context.Context, target string, visit fs.WalkDirFunc) error {
	target = strings.Trim(filepath.ToSlash(target), "/")
	skip := ""
	for _, e := range f.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if target != "" && target != "." && e.path != target && !strings.HasPrefix(e.path, target+"/") {
			continue
		}
		if skip != "" && strings.HasPrefix(e.path, skip) {
			continue
		}
		switch err := visit(filepath.FromSlash(e.path), &fsutil.DirEntryInfo{Stat: e.stat()}, nil); {
		case errors.Is(err, fs.SkipDir) && e.mode.IsDir():
			skip = e.path + "/"
		case errors.Is(err, fs.SkipDir) && !strings.Contains(e.path, "/"):
			return nil
		case errors.Is(err, fs.SkipDir): // the rest of the folder that it is in
			skip = path.Dir(e.path) + "/"
		case err != nil:
			return err
		}
	}
	return nil
}

// Open gives a file's content.
func (f *buildFS) Open(name string) (io.ReadCloser, error) {
	e, ok := f.at[strings.Trim(filepath.ToSlash(name), "/")]
	if !ok || e.open == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	content, _, err := e.open()
	if err != nil {
		return nil, fmt.Errorf("sending the build's context: %w", err)
	}
	return content, nil
}

// stat says what a file is. BuildKit fetches a file anew where its size or time differ from what it
// was sent before; that contents count and not times, the fraction of the second is made from the content.
func (e entry) stat() *types.Stat {
	s := &types.Stat{Path: filepath.FromSlash(e.path), Linkname: e.link, ModTime: e.time.Unix() * int64(time.Second)}
	switch {
	case e.open != nil:
		s.Mode = uint32(e.perm())
		s.Size = e.size
		if sum, err := hex.DecodeString(e.sum); err == nil && len(sum) >= 8 {
			s.ModTime += int64(binary.BigEndian.Uint64(sum) % uint64(time.Second))
		}
	case e.link != "":
		s.Mode = uint32(fs.ModeSymlink | 0o777)
	default:
		s.Mode = uint32(fs.ModeDir | e.perm())
	}
	return s
}
