package docker

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/providers"
)

// Stat says what is at a path of a container, running or not. It follows symbolic links; there is false where
// nothing is.
func (p *Provider) Stat(ctx context.Context, o providers.Observed, name string) (mode fs.FileMode, there bool, err error) {
	_, mode, there, err = p.stat(ctx, o, name)
	return mode, there, err
}

// links is how many symbolic links are followed one after the other.
const links = 20

func (p *Provider) stat(ctx context.Context, o providers.Observed, name string) (real string, mode fs.FileMode, there bool, err error) {
	if err := p.connect(ctx); err != nil {
		return "", 0, false, err
	}
	name = path.Clean("/" + name)
	for range links {
		is, err := p.api.ContainerStatPath(ctx, o.Handle, name)
		if isNotFound(err) {
			return name, 0, false, nil
		}
		if err != nil {
			return "", 0, false, p.explain(fmt.Errorf("%s in %s: %w", name, o.Addr, err))
		}
		if is.Mode&fs.ModeSymlink == 0 {
			return name, is.Mode, true, nil
		}
		if name = is.LinkTarget; !path.IsAbs(name) {
			name = path.Join(path.Dir(name), is.LinkTarget)
		}
	}
	return "", 0, false, fmt.Errorf("%s in %s: too many symbolic links", name, o.Addr)
}

// Get writes what is at a path of a container, running or not, as a tar archive whose first entry is it
// under its own name. A path that is not there wraps fs.ErrNotExist.
func (p *Provider) Get(ctx context.Context, o providers.Observed, name string, w io.Writer) error {
	real, _, there, err := p.stat(ctx, o, name)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("%s in %s: %w", name, o.Addr, fs.ErrNotExist)
	}
	body, _, err := p.api.CopyFromContainer(ctx, o.Handle, real)
	if err != nil {
		return p.explain(fmt.Errorf("reading %s in %s: %w", name, o.Addr, err))
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("reading %s in %s: %w", name, o.Addr, err)
	}
	return nil
}

// Put unpacks a tar archive in a folder of a container, running or not. A file is never put in the place of a folder,
// nor a folder in that of a file.
func (p *Provider) Put(ctx context.Context, o providers.Observed, dir string, archive io.Reader) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.api.CopyToContainer(ctx, o.Handle, dir, archive, container.CopyToContainerOptions{}); err != nil {
		return p.explain(fmt.Errorf("writing to %s in %s: %w", dir, o.Addr, err))
	}
	return nil
}
