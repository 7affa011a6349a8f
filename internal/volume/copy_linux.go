package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Main runs the role and gives its exit code: 64 where it was called wrongly.
func Main(args []string, stderr io.Writer) int {
	if len(args) != 3 || args[0] != "copy" {
		fmt.Fprintln(stderr, "envctl-node volume: want copy FROM TO")
		return 64
	}
	if err := Replace(args[1], args[2]); err != nil {
		fmt.Fprintln(stderr, "envctl-node volume:", err)
		return 1
	}
	return 0
}

// Replace makes the folder to hold what from holds, and nothing else. When it returns, that is on disk.
func Replace(from, to string) error {
	entries, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	c := copying{links: map[inode]string{}}
	if err := c.folder(from, to); err != nil {
		return err
	}
	f, err := os.Open(to)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

type inode struct{ dev, ino uint64 }

// copying remembers the files with several names, by where the first was copied to.
type copying struct{ links map[inode]string }

// folder copies what is in a folder and then the folder's own attributes, which what is made in it would change.
func (c *copying) folder(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.entry(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	var is unix.Stat_t
	if err := unix.Lstat(from, &is); err != nil {
		return &fs.PathError{Op: "lstat", Path: from, Err: err}
	}
	return attributes(from, to, &is)
}

func (c *copying) entry(from, to string) error {
	var is unix.Stat_t
	if err := unix.Lstat(from, &is); err != nil {
		return &fs.PathError{Op: "lstat", Path: from, Err: err}
	}
	kind := is.Mode & unix.S_IFMT
	id := inode{is.Dev, is.Ino}
	if first, linked := c.links[id]; linked && kind != unix.S_IFDIR {
		return os.Link(first, to)
	}
	var err error
	switch kind {
	case unix.S_IFDIR:
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		return c.folder(from, to)
	case unix.S_IFREG:
		err = content(from, to)
	case unix.S_IFLNK:
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = os.Symlink(target, to)
		}
	case unix.S_IFSOCK:
		return nil // whoever listened on it makes it anew
	default:
		err = unix.Mknod(to, is.Mode, int(is.Rdev))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if is.Nlink > 1 {
		c.links[id] = to
	}
	return attributes(from, to, &is)
}

func content(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// attributes copies all but the content; the owner before the mode, since chown(2) clears set-user-id.
func attributes(from, to string, is *unix.Stat_t) error {
	if err := os.Lchown(to, int(is.Uid), int(is.Gid)); err != nil {
		return err
	}
	if is.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(to, is.Mode&^unix.S_IFMT); err != nil {
			return &fs.PathError{Op: "chmod", Path: to, Err: err}
		}
	}
	if err := extended(from, to); err != nil {
		return fmt.Errorf("extended attributes of %s: %w", from, err)
	}
	times := []unix.Timespec{is.Atim, is.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, to, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "utimensat", Path: to, Err: err}
	}
	return nil
}

func extended(from, to string) error {
	names := make([]byte, 64<<10) // the most that Linux has of them, XATTR_LIST_MAX
	n, err := unix.Llistxattr(from, names)
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for begin, i := 0, 0; i < n; i++ {
		if names[i] != 0 {
			continue
		}
		name := string(names[begin:i])
		begin = i + 1
		size, err := unix.Lgetxattr(from, name, value)
		if err == nil {
			err = unix.Lsetxattr(to, name, value[:size], 0)
		}
		// A label that a security module keeps is its own to give: a container may not set it.
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
