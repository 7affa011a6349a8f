package windows

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pkg/sftp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// files opens a file transfer to a machine that was observed. The caller ends it.
func (p *Provider) files(ctx context.Context, o providers.Observed) (*sftp.Client, *conn, func(), error) {
	m, err := p.known(o.Addr)
	if err != nil {
		return nil, nil, nil, err
	}
	return p.filesOf(ctx, m)
}

func (p *Provider) filesOf(ctx context.Context, m *envspec.Machine) (*sftp.Client, *conn, func(), error) {
	c, err := p.pool.get(ctx, m, true, func(event.Event) {})
	if err != nil {
		return nil, nil, nil, err
	}
	files, err := sftp.NewClient(c.client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("file transfer to %s: %w", endpoint(m), c.because(ctx, err))
	}
	stop := context.AfterFunc(ctx, func() { _ = files.Close() })
	return files, c, func() { stop(); _ = files.Close() }, nil
}

// remotePath gives a Windows path the form that the helper's file server takes, C:/x.
func remotePath(name string) string {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if len(name) == 2 && name[1] == ':' {
		return name + "/" // C: alone is wherever one stands on it
	}
	return name
}

// Stat says what is at a path of a machine; there is false where nothing is.
func (p *Provider) Stat(ctx context.Context, o providers.Observed, name string) (mode fs.FileMode, there bool, err error) {
	files, c, end, err := p.files(ctx, o)
	if err != nil {
		return 0, false, err
	}
	defer end()
	is, err := files.Stat(remotePath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("%s on %s: %w", name, o.Addr, c.because(ctx, err))
	}
	return is.Mode(), true, nil
}

// Get writes what is at a path of a machine as a tar archive whose first entry is it under its own name.
func (p *Provider) Get(ctx context.Context, o providers.Observed, name string, w io.Writer) error {
	files, c, end, err := p.files(ctx, o)
	if err != nil {
		return err
	}
	defer end()
	root := remotePath(name)
	t := tar.NewWriter(w)
	for walk := files.Walk(root); walk.Step(); {
		if err = walk.Err(); err == nil {
			as := path.Join(path.Base(root), strings.TrimPrefix(walk.Path(), root))
			err = pack(t, files, walk.Path(), as, walk.Stat())
		}
		if err != nil {
			return fmt.Errorf("reading %s on %s: %w", walk.Path(), o.Addr, c.because(ctx, err))
		}
	}
	return t.Close()
}

func pack(t *tar.Writer, files *sftp.Client, file, as string, is fs.FileInfo) error {
	h := &tar.Header{Typeflag: tar.TypeDir, Name: as + "/", Mode: 0o755, ModTime: is.ModTime()}
	switch {
	case is.IsDir():
		return t.WriteHeader(h)
	case !is.Mode().IsRegular():
		return nil // a junction, say, which nothing here could stand for
	}
	h.Typeflag, h.Name, h.Mode, h.Size = tar.TypeReg, as, 0o644, is.Size()
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	f, err := files.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteTo(t)
	return err
}

// Put unpacks a tar archive in a folder of a machine. Links in it are left out: Windows has others.
func (p *Provider) Put(ctx context.Context, o providers.Observed, dir string, archive io.Reader) error {
	files, c, end, err := p.files(ctx, o)
	if err != nil {
		return err
	}
	defer end()
	for t := tar.NewReader(archive); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = unpack(files, t, h, path.Join(remotePath(dir), path.Clean("/"+h.Name)))
		}
		if err != nil {
			return fmt.Errorf("writing to %s on %s: %w", dir, o.Addr, c.because(ctx, err))
		}
	}
}

func unpack(files *sftp.Client, content io.Reader, h *tar.Header, to string) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return files.MkdirAll(to)
	case tar.TypeReg:
	default:
		return nil
	}
	f, err := files.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	_, err = f.ReadFrom(&counted{r: content, size: h.Size, say: func(int64) {}})
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return files.Chtimes(to, h.ModTime, h.ModTime)
}
