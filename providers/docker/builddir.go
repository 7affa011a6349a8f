package docker

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/envctl/envctl/providers/docker/kit"
)

// kitDir gives a build's context as BuildKit asks for it: what there is, and the content of what it lacks. Every
// file is hashed for it.
func (c *buildContext) kitDir() (kit.Dir, error) {
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
	return newKitDir(entries), nil
}

func newKitDir(entries []entry) kit.Dir {
	var dir kit.Dir
	there := make(map[string]bool, len(entries))
	add := func(e entry) {
		if !there[e.path] {
			there[e.path] = true
			dir = append(dir, e.kitFile())
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
	slices.SortFunc(dir, func(a, b kit.File) int {
		return slices.Compare(strings.Split(a.Path, "/"), strings.Split(b.Path, "/"))
	})
	return dir
}

// kitFile says what a file is. That contents count for BuildKit and not times, the fraction of the second is made
// from the content.
func (e entry) kitFile() kit.File {
	f := kit.File{Path: e.path, Link: filepath.ToSlash(e.link), Time: e.time.Unix() * int64(time.Second)}
	switch {
	case e.open != nil:
		f.Mode, f.Size = fs.FileMode(e.perm()), e.size
		if sum, err := hex.DecodeString(e.sum); err == nil && len(sum) >= 8 {
			f.Time += int64(binary.BigEndian.Uint64(sum) % uint64(time.Second))
		}
		f.Open = func() (io.ReadCloser, error) {
			content, _, err := e.open()
			if err != nil {
				return nil, fmt.Errorf("sending the build's context: %w", err)
			}
			return content, nil
		}
	case e.link != "":
		f.Mode = fs.ModeSymlink | 0o777
	default:
		f.Mode = fs.ModeDir | fs.FileMode(e.perm())
	}
	return f
}
