package docker

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
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
	open func() (content io.ReadCloser, size int64, err error) // of a file
}

// walk visits what .dockerignore leaves, in an order that does not change.
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
	return filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == c.dir {
			return err
		}
		rel, err := filepath.Rel(c.dir, path)
		if err != nil {
			return err
		}
		ignored, err := matcher.MatchesOrParentMatches(rel)
		if err != nil {
			return err
		}
		if ignored {
			if d.IsDir() && !matcher.Exclusions() {
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
			e.open = func() (io.ReadCloser, int64, error) {
				f, err := os.Open(path)
				return f, info.Size(), err
			}
		case info.Mode()&fs.ModeSymlink != 0:
			if e.link, err = os.Readlink(path); err != nil {
				return err
			}
		case !info.IsDir():
			return nil // sockets and the like are nothing that an image could hold
		}
		return visit(e)
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
		err = visit(entry{path: name, mode: 0o755, time: time.Unix(0, 0), sum: file.SHA256, open: func() (io.ReadCloser, int64, error) {
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
	return c.walk(func(e entry) error {
		switch {
		case e.open != nil:
			sum, err := e.digest()
			if err != nil {
				return err
			}
			executable := e.mode&0o111 != 0 && runtime.GOOS != "windows"
			fmt.Fprintf(w, "file %q %t %s\n", e.path, executable, sum)
		case e.link != "":
			fmt.Fprintf(w, "link %q %q\n", e.path, filepath.ToSlash(e.link))
		default:
			fmt.Fprintf(w, "dir %q\n", e.path)
		}
		return nil
	})
}

// digest gives the SHA-256 of a file, lower-case hex.
func (e entry) digest() (string, error) {
	if e.sum != "" {
		return e.sum, nil
	}
	f, _, err := e.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sentDockerfile is the name under which the Dockerfile goes to the engine, beside the context's own.
const sentDockerfile = ".envctl.dockerfile"

// tar writes the context as the engine takes it, owned by root, with text as its Dockerfile.
func (c *buildContext) tar(out io.Writer, text string) error {
	w := tar.NewWriter(out)
	add := func(name, content string) error {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
		_, err := io.WriteString(w, content)
		return err
	}
	err := c.walk(func(e entry) error {
		if e.path == ".dockerignore" {
			return nil // follows below
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.path, Mode: int64(e.mode.Perm()), ModTime: e.time}
		if runtime.GOOS == "windows" {
			h.Mode = 0o755 // Windows does not know; better too executable than not at all
		}
		switch {
		case e.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, filepath.ToSlash(e.link)
		case e.open == nil:
			h.Typeflag, h.Name = tar.TypeDir, e.path+"/"
		}
		if e.open == nil {
			return w.WriteHeader(h)
		}
		f, size, err := e.open()
		if err != nil {
			return err
		}
		defer f.Close()
		h.Size = size
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.Copy(w, f)
		return err
	})
	if err != nil {
		return fmt.Errorf("sending the build's context: %w", err)
	}
	// The engine drops the Dockerfile from what COPY sees where .dockerignore names it.
	ignore := c.ignore + "\n" + sentDockerfile + "\n"
	if c.ignore == "" {
		ignore += ".dockerignore\n"
	}
	if err := errors.Join(add(".dockerignore", ignore), add(sentDockerfile, text)); err != nil {
		return err
	}
	return w.Close()
}
