package guest

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// archiveKind unpacks a zip into a folder. Undo takes away what it unpacked, or the folder with all
// that has gathered in it since, where the folder was not there before.
type archiveKind struct{}

type archiveSaved struct {
	Dir   string          `json:"dir"`
	Dirs  []string        `json:"dirs,omitempty"` // made for the archive, the topmost first
	Files []archivedEntry `json:"files"`
}

// archivedEntry is one file of an archive, and where the one that it replaced lies.
type archivedEntry struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	CRC32  uint32 `json:"crc32"`
	Backup string `json:"backup,omitempty"`
}

func (archiveKind) apply(ctx context.Context, s *step) error {
	dir := expandPath(s.layer.Name)
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%q is no absolute path", s.layer.Name)
	}
	cached, err := s.cached(s.layer.Archive.Source)
	if err != nil {
		return err
	}
	z, err := zip.OpenReader(cached)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.layer.Archive.Source.Name, err)
	}
	defer z.Close()
	saved := archiveSaved{Dir: dir}
	var from []*zip.File
	if saved.Dirs, err = madeDirs(dir, false); err != nil {
		return err
	}
	made := map[string]bool{}
	for _, f := range z.File {
		name, err := entryName(f, s.layer.Archive.Strip)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		path := filepath.Join(dir, name)
		dirs, err := madeDirs(filepath.Dir(path), false)
		if err != nil {
			return err
		}
		for _, d := range dirs {
			if !made[d] && len(d) > len(dir) {
				made[d] = true
				saved.Dirs = append(saved.Dirs, d)
			}
		}
		e := archivedEntry{Path: path, Size: int64(f.UncompressedSize64), CRC32: f.CRC32}
		if _, err := os.Stat(path); err == nil {
			e.Backup = s.backup(strconv.Itoa(len(saved.Files)))
		}
		saved.Files, from = append(saved.Files, e), append(from, f)
	}
	if err := s.save(saved); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, e := range saved.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := unpack(from[i], e); err != nil {
			return err
		}
	}
	s.log("%d files", len(saved.Files))
	return nil
}

// entryName gives an entry's name under the folder, with strip leading folders taken off; "" for one
// that is no file or lies in what was taken off. A name that leads out of the folder is an error.
func entryName(f *zip.File, strip int) (string, error) {
	name := strings.ReplaceAll(f.Name, `\`, "/")
	if strings.HasSuffix(name, "/") || f.FileInfo().IsDir() {
		return "", nil
	}
	if !f.Mode().IsRegular() {
		return "", fmt.Errorf("the archive has %s, which is no ordinary file", f.Name)
	}
	// A colon names a drive or an alternate stream; IsLocal sees the first alone, and on Windows only.
	if !filepath.IsLocal(filepath.FromSlash(name)) || strings.Contains(name, ":") {
		return "", fmt.Errorf("the archive has %q, which leads out of its folder", f.Name)
	}
	parts := strings.Split(name, "/")
	if len(parts) <= strip {
		return "", nil
	}
	return filepath.Join(parts[strip:]...), nil
}

func unpack(f *zip.File, e archivedEntry) error {
	if err := os.MkdirAll(filepath.Dir(e.Path), 0o755); err != nil {
		return err
	}
	if e.Backup != "" {
		if err := moveFile(e.Path, e.Backup); err != nil {
			return err
		}
	}
	src, err := f.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(e.Path)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", f.Name, err)
	}
	return os.Chtimes(e.Path, f.Modified, f.Modified)
}

func (archiveKind) undo(_ context.Context, s *step) error {
	var saved archiveSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	for _, d := range saved.Dirs {
		if d == saved.Dir {
			if err := os.RemoveAll(d); err != nil {
				return err
			}
			removeEmpty(saved.Dirs)
			return nil
		}
	}
	for _, e := range saved.Files {
		if e.Backup != "" {
			if _, err := os.Stat(e.Backup); err != nil {
				continue // not moved yet, or back already
			}
		}
		if err := removeFile(e.Path); err != nil {
			return err
		}
		if e.Backup != "" {
			if err := moveFile(e.Backup, e.Path); err != nil {
				return err
			}
		}
	}
	removeEmpty(saved.Dirs)
	return nil
}

func (archiveKind) observe(ctx context.Context, s *step) (d drift, err error) {
	var saved archiveSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	for _, e := range saved.Files {
		if err := ctx.Err(); err != nil || d.full() {
			return d, err
		}
		is, err := contentOf(e.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d, err
		}
		want := e.content()
		switch {
		case err != nil:
			d.say("%s is gone", e.Path)
		case is != want:
			d.say("%s was changed", e.Path)
		default:
			continue
		}
		name, err := filepath.Rel(saved.Dir, e.Path)
		if err != nil {
			name = e.Path
		}
		d.part(name, want, is)
	}
	return d, nil
}

func (e archivedEntry) content() string { return fmt.Sprintf("crc32:%08x, %d bytes", e.CRC32, e.Size) }

// contentOf is the content of a file as an archive has it; "" with an error where there is none.
func contentOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, f)
	if err != nil {
		return "", err
	}
	return archivedEntry{Size: n, CRC32: sum.Sum32()}.content(), nil
}
