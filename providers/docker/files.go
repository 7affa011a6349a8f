package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
)

// copyFiles puts files into a container. Folders that are missing on the way to one are made, root's and 0755.
func (p *Provider) copyFiles(ctx context.Context, id string, body *envspec.Container, files []envspec.File) error {
	byRoot := map[string][]envspec.File{}
	for _, f := range files {
		root := copyRoot(body, f.Path)
		byRoot[root] = append(byRoot[root], f)
	}
	for root, files := range byRoot {
		parents, err := p.missingParents(ctx, id, root, files)
		if err != nil {
			return fmt.Errorf("copying files into it: %w", err)
		}
		data, err := tarFiles(root, parents, files)
		if err != nil {
			return err
		}
		if err := p.api.CopyToContainer(ctx, id, root, bytes.NewReader(data), container.CopyToContainerOptions{}); err != nil {
			return fmt.Errorf("copying files into it: %w", err)
		}
	}
	return nil
}

// copyMutable puts the mutable files into a container that was made earlier.
func (p *Provider) copyMutable(ctx context.Context, id string, body *envspec.Container) error {
	var mutable []envspec.File
	for _, f := range body.Files {
		if f.Mutable {
			mutable = append(mutable, f)
		}
	}
	return p.copyFiles(ctx, id, body, mutable)
}

// missingParents lists the folders above files and below root that the container does not have, outermost first. Those
// that it has must not stand in the archive: their mode and owner would change.
func (p *Provider) missingParents(ctx context.Context, id, root string, files []envspec.File) ([]string, error) {
	var missing []string
	seen := map[string]bool{"/": true, root: true}
	var visit func(dir string) error
	visit = func(dir string) error {
		if seen[dir] {
			return nil
		}
		seen[dir] = true
		_, err := p.api.ContainerStatPath(ctx, id, dir)
		if err == nil {
			return nil // and so are those above it
		}
		if !isNotFound(err) {
			return err
		}
		if err := visit(path.Dir(dir)); err != nil {
			return err
		}
		missing = append(missing, dir)
		return nil
	}
	for _, f := range files {
		if err := visit(path.Dir(path.Clean("/" + f.Path))); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// tarFiles gives an archive to be unpacked at root.
func tarFiles(root string, parents []string, files []envspec.File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	now := time.Now()
	inRoot := func(name string) string { return strings.TrimPrefix(strings.TrimPrefix(name, root), "/") }
	for _, dir := range parents {
		h := &tar.Header{Typeflag: tar.TypeDir, Name: inRoot(dir) + "/", Mode: 0o755, ModTime: now}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		content := f.Content.Reveal()
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: inRoot(path.Clean("/" + f.Path)), Mode: fileMode(f),
			Uid: f.UID, Gid: f.GID, Size: int64(len(content)), ModTime: now,
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Path, err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func fileMode(f envspec.File) int64 {
	switch {
	case f.Mode != 0:
		return f.Mode
	case f.Content.Sensitive:
		return 0o400
	}
	return 0o644
}
