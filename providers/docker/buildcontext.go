package docker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/blob"
)

// buildContext is what a build is made from.
type buildContext struct {
	dockerfile string
	ignore     string // the text of .dockerignore
	dir        string // or files
	files      map[string]blob.Blob
	more       map[string]string // sent beside it to the classic builder, for instructions of our own
	found      []entry           // what walk found, once it has
}

// loadContext reads the Dockerfile and .dockerignore; the rest is read as it is needed.
func loadContext(b *envspec.Build) (*buildContext, error) {
	c := &buildContext{dockerfile: b.Inline, dir: b.Context, files: b.Files}
	name := b.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	if b.Inline == "" {
		text, err := c.read(name)
		if err != nil {
			return nil, fmt.Errorf("the Dockerfile: %w; name it with `dockerfile`, or write it in the spec with `inline`", err)
		}
		c.dockerfile = string(text)
	}
	if strings.TrimSpace(c.dockerfile) == "" {
		return nil, errors.New("the Dockerfile is empty")
	}
	// One beside the Dockerfile and named after it goes before the folder's own.
	for _, ignore := range []string{name + ".dockerignore", ".dockerignore"} {
		text, err := c.read(ignore)
		if err == nil {
			c.ignore = string(text)
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return c, nil
}

func (c *buildContext) read(name string) ([]byte, error) {
	if c.files != nil {
		data, ok := c.files[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return data.Bytes()
	}
	if c.dir == "" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.ReadFile(filepath.Join(c.dir, filepath.FromSlash(name)))
}

// entry is one file, folder or link of a context.
type entry struct {
	path string // with slashes
	mode fs.FileMode
	time time.Time
	link string
	// sum is a file's SHA-256 where it is known, lower-case hex.
	sum  string
	size int64                                                 // of a file; -1 where only open tells
	open func() (content io.ReadCloser, size int64, err error) // of a file
}

// entries are what .dockerignore leaves, in an order that does not change. They are looked for once.
func (c *buildContext) entries() ([]entry, error) {
	if c.found == nil {
		found := []entry{}
		if err := c.walk(func(e entry) error { found = append(found, e); return nil }); err != nil {
			return nil, err
		}
		c.found = found
	}
	return c.found, nil
}

func (c *buildContext) walk(visit func(entry) error) error {
	patterns, err := ignorefile.ReadAll(strings.NewReader(c.ignore))
	if err != nil {
		return fmt.Errorf(".dockerignore: %w", err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return fmt.Errorf(".dockerignore: %w", err)
	}
	if c.files != nil {
		return walkFiles(c.files, matcher, visit)
	}
	if c.dir == "" {
		return nil
	}
	if is, err := os.Stat(c.dir); err != nil {
		return fmt.Errorf("the build's context: %w", err)
	} else if !is.IsDir() {
		return fmt.Errorf("the build's context %s is not a folder", c.dir)
	}
	dir, err := filepath.EvalSymlinks(c.dir) // a link to a folder would not be walked
	if err != nil {
		return fmt.Errorf("the build's context: %w", err)
	}
	folders := map[string]patternmatcher.MatchInfo{} // what matched a folder is not asked again for what is in it
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		ignored, matched, err := matcher.MatchesUsingParentResults(rel, folders[filepath.Dir(rel)])
		if err != nil {
			return err
		}
		if d.IsDir() {
			folders[rel] = matched
		}
		if ignored {
			if d.IsDir() && !mayHold(matcher, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{path: filepath.ToSlash(rel), mode: info.Mode(), time: info.ModTime()}
		switch {
		case info.Mode().IsRegular():
			e.size = info.Size()
			e.open = func() (io.ReadCloser, int64, error) {
				f, err := os.Open(at)
				return f, info.Size(), err
			}
		case info.Mode()&fs.ModeSymlink != 0:
			if e.link, err = os.Readlink(at); err != nil {
				return err
			}
		case !info.IsDir():
			return nil // sockets and the like are nothing that an image could hold
		}
		return visit(e)
	})
}

// mayHold reports whether an ignored folder may hold what an exception keeps. One that cannot, as node_modules often, is not
// looked through.
func mayHold(matcher *patternmatcher.PatternMatcher, dir string) bool {
	folders := strings.Split(filepath.ToSlash(dir), "/")
	return slices.ContainsFunc(matcher.Patterns(), func(p *patternmatcher.Pattern) bool {
		if !p.Exclusion() {
			return false
		}
		for i, want := range strings.Split(filepath.ToSlash(p.String()), "/") {
			if i == len(folders) || strings.Contains(want, "**") {
				return true
			}
			if ok, err := path.Match(want, folders[i]); err == nil && !ok {
				return false
			}
		}
		return true // it keeps one of the folders above
	})
}

// walkFiles visits a context in memory. Its files are executable: they carry no mode, and envctl's own
// programs come this way.
func walkFiles(files map[string]blob.Blob, matcher *patternmatcher.PatternMatcher, visit func(entry) error) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		ignored, err := matcher.MatchesOrParentMatches(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		if ignored {
			continue
		}
		file := files[name]
		err = visit(entry{path: name, mode: 0o755, time: time.Unix(0, 0), sum: file.SHA256, size: -1, open: func() (io.ReadCloser, int64, error) {
			data, err := file.Bytes()
			return io.NopCloser(bytes.NewReader(data)), int64(len(data)), err
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// hash covers what an image could come to hold: paths, contents, links and whether a file is executable,
// but no times and no other modes, which differ between checkouts of the same thing.
func (c *buildContext) hash(w io.Writer) error {
	entries, err := c.entries()
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		switch {
		case e.open != nil:
			if err := e.digest(); err != nil {
				return err
			}
			executable := e.mode&0o111 != 0 && runtime.GOOS != "windows"
			fmt.Fprintf(w, "file %q %t %s\n", e.path, executable, e.sum)
		case e.link != "":
			fmt.Fprintf(w, "link %q %q\n", e.path, filepath.ToSlash(e.link))
		default:
			fmt.Fprintf(w, "dir %q\n", e.path)
		}
	}
	return nil
}

// digest fills in the SHA-256 of a file.
func (e *entry) digest() error {
	if e.sum != "" {
		return nil
	}
	f, _, err := e.open()
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	e.sum = hex.EncodeToString(h.Sum(nil))
	return nil
}
