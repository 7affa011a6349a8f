package watch

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// whole is up to how many bytes a file is read before it is written to the archive, so that its length is right even
// if it changes meanwhile. Of a longer one that becomes shorter while it is sent, the rest is zeros: the change is
// an event, with which it is sent again.
const whole = 4 << 20

// owner is who a file in the container belongs to.
type owner struct{ uid, gid int }

// packed is one entry as it was sent; of what went away meanwhile nothing is.
type packed struct {
	key string
	entry
	bytes int64
}

// pack writes an entry to an archive under a name. It gives false where it is gone.
func pack(t *tar.Writer, e entry, name string, o owner) (packed, bool, error) {
	p := packed{entry: e}
	p.read = time.Now()
	h := &tar.Header{Name: name, Mode: e.mode(), Uid: o.uid, Gid: o.gid, ModTime: e.info.ModTime(), Format: tar.FormatPAX}
	switch {
	case e.info.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		return p, true, t.WriteHeader(h)
	case e.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		return p, true, t.WriteHeader(h)
	}
	f, err := os.Open(e.path)
	if err != nil {
		return p, false, gone(err)
	}
	defer f.Close()
	if p.info, err = f.Stat(); err != nil || !p.info.Mode().IsRegular() {
		return p, false, err // something else by now: its event follows
	}
	h.Typeflag, h.Mode, h.ModTime, h.Size = tar.TypeReg, p.mode(), p.info.ModTime(), p.info.Size()
	var content io.Reader = f
	if h.Size <= whole {
		text, err := io.ReadAll(io.LimitReader(f, whole+1))
		if err != nil {
			return p, false, fmt.Errorf("reading %s: %w", e.path, err)
		}
		text = text[:min(len(text), whole)]
		h.Size, content = int64(len(text)), strings.NewReader(string(text))
	}
	if err := t.WriteHeader(h); err != nil {
		return p, false, err
	}
	p.bytes = h.Size
	n, err := io.Copy(t, io.LimitReader(content, h.Size))
	if err == nil && n < h.Size {
		_, err = io.CopyN(t, zeros{}, h.Size-n)
	}
	return p, true, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// compare reads an archive out of the container whose names are below dir and notes in have what is as the host has it,
// and in owners whose everything is. It reads at most limit bytes: what it did not see counts as different.
func compare(archive io.Reader, dir string, want, have map[string]entry, owners map[string]owner, limit int64) error {
	counted := &io.LimitedReader{R: archive, N: limit}
	t := tar.NewReader(counted)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) || err != nil && counted.N <= 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading what is in the container: %w", err)
		}
		key := "/" + trimSlash(join(dir, h.Name))
		e, wanted := want[key]
		if wanted || h.Typeflag == tar.TypeDir {
			owners[key] = owner{h.Uid, h.Gid}
		}
		if !wanted {
			continue
		}
		read := time.Now()
		equal, err := equalTo(e, h, t)
		if err != nil && counted.N > 0 {
			return err
		}
		if err == nil && equal {
			e.read = read
			have[key] = e
		}
	}
}

func join(dir, name string) string {
	return strings.TrimSuffix(dir, "/") + "/" + strings.TrimPrefix(name, "/")
}

// equalTo reports whether what the container has is what the host has.
func equalTo(e entry, h *tar.Header, content io.Reader) (bool, error) {
	if e.link != "" {
		return h.Typeflag == tar.TypeSymlink && h.Linkname == e.link, nil
	}
	if e.mode() != h.Mode&0o7777 {
		return false, nil
	}
	if e.info.IsDir() {
		return h.Typeflag == tar.TypeDir, nil
	}
	if h.Typeflag != tar.TypeReg || h.Size != e.info.Size() {
		return false, nil
	}
	f, err := os.Open(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	a, b := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(content, a)
		m, ferr := io.ReadFull(f, b[:max(n, 1)])
		if string(a[:n]) != string(b[:m]) {
			return false, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if ferr != nil {
			return false, nil // shorter by now
		}
	}
}
