package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fileKind is one file. What was there before is moved into the helper's folder, not copied: so it
// keeps its owner, its rights and its times, and comes back with them.
type fileKind struct{}

// fileSaved is what undo needs.
type fileSaved struct {
	Path   string   `json:"path"`
	Dirs   []string `json:"dirs,omitempty"`   // made for the file, the topmost first
	Backup string   `json:"backup,omitempty"` // where the former file lies
}

func (fileKind) apply(_ context.Context, s *step) error {
	path := expandPath(s.layer.Name)
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%q is no absolute path", s.layer.Name)
	}
	dirs, err := madeDirs(filepath.Dir(path), false)
	if err != nil {
		return err
	}
	saved := fileSaved{Path: path, Dirs: dirs}
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return fmt.Errorf("%s is a folder", path)
		}
		saved.Backup = s.backup("file")
	}
	if err := s.save(saved); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".envctl-new"
	_ = removeFile(tmp) // of an earlier try
	if err := writeNew(tmp, s); err != nil {
		return errors.Join(err, removeFile(tmp))
	}
	if saved.Backup != "" {
		if err := moveFile(path, saved.Backup); err != nil {
			return errors.Join(err, removeFile(tmp))
		}
	}
	return replaceFile(tmp, path)
}

// writeNew writes the layer's content to a new file.
func writeNew(path string, s *step) error {
	f, private := s.layer.File, s.layer.File.Private
	var from io.Reader
	switch {
	case f.Source != nil:
		cached, err := s.cached(*f.Source)
		if err != nil {
			return err
		}
		src, err := os.Open(cached)
		if err != nil {
			return err
		}
		defer src.Close()
		from = src
	case f.Content != nil:
		from = strings.NewReader(f.Content.Reveal())
		private = private || f.Content.Sensitive
	default:
		return errors.New("the file has no content and no source")
	}
	create := func(path string) (*os.File, error) {
		return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	}
	if private {
		create = makePrivateFile
	}
	out, err := create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

func (fileKind) undo(_ context.Context, s *step) error {
	var saved fileSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	_ = removeFile(saved.Path + ".envctl-new") // of a try that was cut short
	if saved.Backup == "" {
		if err := removeFile(saved.Path); err != nil {
			return err
		}
	} else if _, err := os.Stat(saved.Backup); err == nil { // otherwise it was not moved yet, or is back
		if err := removeFile(saved.Path); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(saved.Path), 0o755); err != nil {
			return err
		}
		if err := moveFile(saved.Backup, saved.Path); err != nil {
			return err
		}
	}
	removeEmpty(saved.Dirs)
	return nil
}

func (fileKind) observe(_ context.Context, s *step) (d drift, err error) {
	var saved fileSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	f := s.layer.File
	want, size := "", int64(0)
	if f.Source != nil {
		want, size = f.Source.SHA256, f.Source.Size
	} else if f.Content != nil {
		want, size = textSHA256(f.Content.Reveal()), int64(len(f.Content.Reveal()))
	}
	got, err := fileSHA256(saved.Path)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case gone:
		d.say("the file is gone")
	case err != nil:
		return d, err
	case got != want:
		d.say("the file's content was changed")
	default:
		return d, nil
	}
	if f.Private || f.Content != nil && f.Content.Sensitive {
		d.hidden("content", gone)
		return d, nil
	}
	is := ""
	if !gone {
		is = shownContent(got, fileSize(saved.Path))
	}
	d.part("content", shownContent(want, size), is)
	return d, nil
}

// shownContent is what a plan shows of a file's content. The size of a source is not always known.
func shownContent(sha256 string, size int64) string {
	shown := fmt.Sprintf("sha256:%.12s", sha256)
	if size > 0 {
		shown += fmt.Sprintf(", %d bytes", size)
	}
	return shown
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// moveFile renames, or copies and removes where the two are on different volumes.
func moveFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	err := replaceFile(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || isSharingViolation(err) {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	// Under another name first: a copy that was cut off must not pass for the whole.
	dst, err := os.Create(to + ".part")
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chtimes(to+".part", info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = replaceFile(to+".part", to)
	}
	if err != nil {
		os.Remove(to + ".part")
		return err
	}
	src.Close()
	return os.Remove(from)
}
