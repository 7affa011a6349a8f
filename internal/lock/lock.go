// Package lock keeps two runs of envctl from deciding the same thing at once: which host ports are free
// (one lock for the whole engine), what to do to an instance (one lock an instance), what goes into the
// credential store. A lock is an flock(2), or LockFileEx on Windows: it ends with its process, however that
// ends. Nothing is left on disk once it is released.
package lock

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Holder is who has a lock. Every field may be empty: it is read beside the lock, without holding it.
type Holder struct {
	PID   int       `json:"pid"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
	// Command is what it runs, as "envctl up", without arguments: they may hold secrets.
	Command string `json:"command"`
}

// String gives words for a person: "envctl up, pid 4711, ana@mac.local, since 10:04:05".
func (h Holder) String() string {
	if h.PID == 0 {
		return "another envctl"
	}
	return fmt.Sprintf("%s, pid %d, %s@%s, since %s", cmp.Or(h.Command, "envctl"), h.PID, h.User, h.Host, h.Since.Local().Format(time.TimeOnly))
}

// Lock is a held lock.
type Lock struct {
	f      *flock.Flock
	killed bool
}

// Killed reports whether whoever held the lock before did not live to give it up.
func (l *Lock) Killed() bool { return l.killed }

// Engine takes the lock under which host ports are allocated, one for all environments whose state lies
// under dir.
func Engine(ctx context.Context, dir, command string, waiting func(Holder)) (*Lock, error) {
	return Acquire(ctx, enginePath(dir), command, waiting)
}

// Instance takes the lock of one instance of an environment, under which it is planned and changed. It
// lies in dir, not in the instance's own folder, so that the folder can go while it is held.
func Instance(ctx context.Context, dir, environment, instance, command string, waiting func(Holder)) (*Lock, error) {
	return Acquire(ctx, instancePath(dir, environment, instance), command, waiting)
}

// Begun reports whether a run has the lock of an instance, or had it when it was killed: there may be more of the
// instance than can be seen yet.
func Begun(dir, environment, instance string) bool {
	_, err := os.Stat(instancePath(dir, environment, instance))
	return err == nil
}

// TidyEngine removes what a run left of the engine's lock that was killed while it had it.
func TidyEngine(dir string) error {
	path := enginePath(dir)
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // there is nothing to tidy
	}
	l, err := try(path, "")
	return errors.Join(err, l.Release())
}

func enginePath(dir string) string { return filepath.Join(dir, "engine.lock") }

func instancePath(dir, environment, instance string) string {
	return filepath.Join(dir, environment+"-"+instance+".lock")
}

const poll = 50 * time.Millisecond

// Acquire takes the lock at path, making its folder, and says beside it that command holds it. Where someone else holds it, waiting (which may be
// nil) is called with who that is, again when that changes, and Acquire returns when it is free or ctx ends.
func Acquire(ctx context.Context, path, command string, waiting func(Holder)) (*Lock, error) {
	var told *Holder
	for {
		l, err := try(path, command)
		if l != nil || err != nil {
			return l, err
		}
		h := readHolder(path)
		if waiting != nil && (told == nil || told.PID != h.PID && h.PID != 0) {
			waiting(h)
			told = &h
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock %s, held by %s: %w", path, h, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// try gives nil, nil where someone else holds the lock.
func try(path, command string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of a lock: %w", err)
	}
	f := flock.New(path, flock.SetPermissions(0o600))
	ok, err := f.TryLock()
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // its folder went away with the holder before us: once more
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !ok {
		return nil, f.Close()
	}
	// The holder before us may have removed the file between our opening and our locking it: then what
	// we locked is a file that no one else will find.
	held, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(held, there) {
		return nil, f.Close()
	}
	l := &Lock{f: f, killed: readHolder(path).PID != 0}
	if err := l.sign(command); err != nil {
		return nil, errors.Join(err, l.Release())
	}
	return l, nil
}

func (l *Lock) sign(command string) error {
	host, _ := os.Hostname()
	text, err := json.Marshal(Holder{PID: os.Getpid(), User: userName(), Host: host, Since: time.Now(), Command: command})
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.f.Path()+".holder", text, 0o600); err != nil {
		return fmt.Errorf("say who holds a lock: %w", err)
	}
	return nil
}

// Release gives the lock up and removes its files. A nil Lock is fine.
func (l *Lock) Release() error {
	if l == nil {
		return nil
	}
	// Removed while still held: see try. Windows refuses to remove an open file; it stays, empty.
	_ = os.Remove(l.f.Path() + ".holder")
	_ = os.Remove(l.f.Path())
	return l.f.Close()
}

// Held reports whether somebody holds the lock at path, and who.
func Held(path string) (Holder, bool) {
	if _, err := os.Stat(path); err != nil {
		return Holder{}, false
	}
	f := flock.New(path, flock.SetPermissions(0o600))
	mine, err := f.TryRLock()
	_ = f.Close()
	return readHolder(path), err == nil && !mine
}

func readHolder(path string) (h Holder) {
	text, err := os.ReadFile(path + ".holder")
	if err != nil || json.Unmarshal(text, &h) != nil {
		return Holder{}
	}
	return h
}

func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	for _, name := range []string{"USER", "LOGNAME", "USERNAME"} {
		if u := os.Getenv(name); u != "" {
			return u
		}
	}
	return fmt.Sprint("uid ", os.Getuid())
}
