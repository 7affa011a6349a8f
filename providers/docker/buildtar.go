package docker

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

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
	entries, err := c.entries()
	if err != nil {
		return err
	}
	shown := false // to COPY
	for _, e := range entries {
		if e.path == ".dockerignore" {
			shown = true
			continue // follows below
		}
		if err := e.tar(w); err != nil {
			return fmt.Errorf("sending the build's context: %w", err)
		}
	}
	// The engine drops the Dockerfile from what COPY sees where .dockerignore names it.
	ignore := c.ignore + "\n" + sentDockerfile + "\n"
	if !shown {
		ignore += ".dockerignore\n"
	}
	for _, name := range slices.Sorted(maps.Keys(c.more)) {
		if err := add(name, c.more[name]); err != nil {
			return err
		}
	}
	if err := errors.Join(add(".dockerignore", ignore), add(sentDockerfile, text)); err != nil {
		return err
	}
	return w.Close()
}

// perm gives what a file's owner and others may do with it in the image.
func (e entry) perm() fs.FileMode {
	if runtime.GOOS == "windows" {
		return 0o755 // Windows does not know; better too executable than not at all
	}
	return e.mode.Perm()
}

func (e entry) tar(w *tar.Writer) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: e.path, Mode: int64(e.perm()), ModTime: e.time}
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
}
