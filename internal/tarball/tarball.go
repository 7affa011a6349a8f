// Package tarball packs files of this computer into a tar archive and unpacks one, as copying to and from
// containers and machines takes it. It knows nothing of either.
package tarball

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Count is what was copied. Skipped names what is neither file, folder nor link.
type Count struct {
	Files   int
	Bytes   int64
	Skipped []string
}

// Pack writes the file or folder at local as an archive whose first entry is called name; "." leaves the entry for
// a folder itself out. Owners are left out too, so that what is unpacked belongs to root.
func Pack(w io.Writer, local, name string) (Count, error) {
	var n Count
	t := tar.NewWriter(w)
	err := filepath.WalkDir(local, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(local, file)
		if err != nil {
			return err
		}
		as := path.Join(name, filepath.ToSlash(rel))
		if as == "." {
			return nil
		}
		return n.pack(t, file, as, d)
	})
	if err != nil {
		return n, err
	}
	return n, t.Close()
}

func (n *Count) pack(t *tar.Writer, file, as string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		n.Skipped = append(n.Skipped, file)
		return nil
	}
	h, err := tar.FileInfoHeader(info, filepath.ToSlash(link))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = as, 0, 0, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	if err := t.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if info.IsDir() {
		return nil
	}
	n.Files++
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	wrote, err := io.Copy(t, f)
	n.Bytes += wrote
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Unpack writes an archive's entries below dir. The first part of their names, which all have in common, becomes
// name; "." drops it. Nothing is written outside of dir, whatever the names and the links in the archive say.
func Unpack(r io.Reader, dir, name string) (Count, error) {
	var n Count
	root, err := os.OpenRoot(dir)
	if err != nil {
		return n, err
	}
	defer root.Close()
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		as := rename(h.Name, name)
		if err := n.unpack(root, t, h, as, name); err != nil {
			return n, fmt.Errorf("%s: %w", filepath.Join(dir, filepath.FromSlash(as)), err)
		}
	}
}

func rename(entry, name string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+entry), "/"), "/")
	return path.Join(name, rest)
}

func (n *Count) unpack(root *os.Root, content io.Reader, h *tar.Header, as, name string) error {
	if h.Typeflag == tar.TypeDir {
		// Its owner may write to it, since there is more to come.
		return root.MkdirAll(as, fs.FileMode(h.Mode)&fs.ModePerm|0o700)
	}
	if is, err := root.Lstat(as); err == nil {
		if is.IsDir() {
			return errors.New("a folder is there; it is not replaced by a file")
		}
		if err := root.Remove(as); err != nil {
			return err
		}
	}
	if err := root.MkdirAll(path.Dir(as), 0o777); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		n.Files++
		return root.Symlink(filepath.FromSlash(h.Linkname), as)
	case tar.TypeLink:
		n.Files++
		return root.Link(rename(h.Linkname, name), as)
	case tar.TypeReg:
	default:
		n.Skipped = append(n.Skipped, h.Name)
		return nil
	}
	f, err := root.OpenFile(as, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode)&fs.ModePerm)
	if err != nil {
		return err
	}
	wrote, err := io.Copy(f, content)
	n.Files, n.Bytes = n.Files+1, n.Bytes+wrote
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Chtimes(as, h.ModTime, h.ModTime)
}
