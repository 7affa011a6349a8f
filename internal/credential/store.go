// Package credential gives the credentials of a spec their values: it generates them once and keeps them,
// or takes them from where a block says (the environment, a file, a command, the keychain), and gives each
// a version by which a plan knows that it changed without knowing it.
//
// What it generates lies in the folder of the instance, a file an entry, each sealed with age to a key in the
// system's keychain or, where there is none, in a file that only its owner can read. What a file has in clear
// (name, version, owner, the public part) is enough to plan with: the key is not asked for before a secret is.
package credential

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/lock"
	"github.com/envctl/envctl/internal/secret"
)

// Version tells one value of a credential from another. Labels carry it.
type Version struct {
	// ID is random for a generated value, and a MAC of the value under the store's key for any other.
	ID string `json:"id"`
	// Key names the key of the MAC; "" for a generated value.
	Key string `json:"key,omitempty"`
	// Owner is who made a generated value, user@host.
	Owner string `json:"owner,omitempty"`
}

// Entry is one kept credential.
type Entry struct {
	Name    string
	Version Version
	Created time.Time
	// Public is kept in clear, beside the secret.
	Public map[string]string
	// Values are the secret; nil where the entry was read without a key.
	Values map[string]secret.Text
}

// ErrHeldElsewhere is the error for a value that exists and cannot be had here.
var ErrHeldElsewhere = errors.New("held elsewhere")

// HeldElsewhereError says whose a value is that this store does not have or cannot open. It is ErrHeldElsewhere.
type HeldElsewhereError struct {
	Name  string
	Owner string // user@host, "" where it is not known
	// Cause is why it cannot be opened; nil where this store has no such entry.
	Cause error
}

// Error says what to do next.
func (e *HeldElsewhereError) Error() string {
	owner := e.Owner
	if owner == "" {
		owner = "someone else"
	}
	why := "it is in use, and not in this store"
	if e.Cause != nil {
		why = e.Cause.Error()
	}
	return fmt.Sprintf("credential %s is held by %s (%s): import it from there or rotate it; \"envctl down --volumes\" starts over with a new one",
		e.Name, owner, why)
}

// Is makes every such error ErrHeldElsewhere.
func (e *HeldElsewhereError) Is(target error) bool { return target == ErrHeldElsewhere }

// Unwrap gives the cause.
func (e *HeldElsewhereError) Unwrap() error { return e.Cause }

// ErrChanged is the error for an entry that another run made or replaced since this one planned.
var ErrChanged = errors.New("changed since it was planned with; run the command again")

// Options say where a store finds its key.
type Options struct {
	// Root is the folder of all instances' state, where store.key and the store's lock lie; "" is the
	// parent of the instance's folder.
	Root string
	// Key is an age identity that comes before any other (ENVCTL_STORE_KEY).
	Key string
	// Keychain is where the key is kept; nil for none. See SystemKeychain.
	Keychain Keychain
	// Ephemeral keeps a key that has to be made in memory alone: what is sealed with it is lost with the process.
	Ephemeral bool
	// Owner is user@host; "" is whoever runs this.
	Owner string
}

// Store keeps the credentials of one instance. It may be used from many goroutines and, at once, by many
// processes.
type Store struct {
	dir, root, owner string
	keys             *keys
}

// Open gives the store of the instance whose state lies in dir. It touches nothing until it is asked for
// something, and makes nothing until something is saved.
func Open(dir string, o Options) *Store {
	if o.Root == "" {
		o.Root = filepath.Dir(dir)
	}
	if o.Owner == "" {
		o.Owner = owner()
	}
	return &Store{dir: dir, root: o.Root, owner: o.Owner, keys: newKeys(o)}
}

func (s *Store) folder() string { return filepath.Join(s.dir, "credentials") }

func (s *Store) path(name string) string { return filepath.Join(s.folder(), fileName(name)+".json") }

// Index gives an entry without its Values. It needs no key.
func (s *Store) Index(name string) (Entry, bool, error) {
	f, ok, err := readFile(s.path(name))
	if !ok || err != nil {
		return Entry{}, false, err
	}
	return f.entry(), true, nil
}

// List gives every entry without its Values, sorted by name. It needs no key.
func (s *Store) List() ([]Entry, error) {
	paths, err := filepath.Glob(filepath.Join(globQuote(s.folder()), "*.json"))
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, path := range paths {
		f, ok, err := readFile(path)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, f.entry())
		}
	}
	return list, nil
}

// Lookup gives an entry with its Values. An entry that is there and cannot be opened is ErrHeldElsewhere.
func (s *Store) Lookup(name string) (Entry, bool, error) {
	f, ok, err := readFile(s.path(name))
	if !ok || err != nil {
		return Entry{}, false, err
	}
	k, err := s.keys.find(f.Key)
	if missing, ok := errors.AsType[*noKeyError](err); ok {
		return Entry{}, true, &HeldElsewhereError{Name: name, Owner: f.Version.Owner, Cause: missing}
	}
	if err != nil {
		return Entry{}, true, fmt.Errorf("credential %s: %w", name, err)
	}
	e := f.entry()
	if e.Values, err = f.unseal(k); err != nil {
		return Entry{}, true, fmt.Errorf("credential %s in %s: %w; rotate it, or restore the file", name, s.path(name), err)
	}
	return e, true, nil
}

// Save seals an entry and puts it in the place of what was there under its name. Once Save returns, the entry
// survives a crash; one before leaves the old entry.
func (s *Store) Save(ctx context.Context, e Entry) error {
	return s.locked(ctx, func() error { return s.write(e) })
}

// create is Save where nothing is there yet. Where something is, it is ErrChanged.
func (s *Store) create(ctx context.Context, e Entry) error {
	return s.locked(ctx, func() error {
		if _, there, err := readFile(s.path(e.Name)); there || err != nil {
			return errors.Join(err, fmt.Errorf("credential %s: %w", e.Name, ErrChanged))
		}
		return s.write(e)
	})
}

func (s *Store) write(e Entry) error {
	k, err := s.useKey()
	if err != nil {
		return err
	}
	if e.Created.IsZero() {
		e.Created = time.Now().UTC().Truncate(time.Second)
	}
	if e.Version.Owner == "" {
		e.Version.Owner = s.owner
	}
	f, err := seal(e, k)
	if err != nil {
		return fmt.Errorf("seal credential %s: %w", e.Name, err)
	}
	return writeFile(s.path(e.Name), f)
}

// keep makes sure that the key outlives this process: versions that labels carry were made with it.
func (s *Store) keep(ctx context.Context) error {
	return s.locked(ctx, func() error { _, err := s.useKey(); return err })
}

// useKey gives the key to seal with, now kept for good, and marks the instance as one that needs it. The
// lock must be held.
func (s *Store) useKey() (*key, error) {
	k, err := s.keys.keep()
	if err != nil {
		return nil, err
	}
	return k, writeAtomic(filepath.Join(s.folder(), "key"), []byte(k.id+"\n"))
}

// Delete removes entries. With the last one, or with none left, it removes the folder as well, and store.key
// when no other instance needs it. What is gone already is no error. A key in the keychain stays.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	return s.delete(ctx, func() error {
		for _, name := range names {
			if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("delete credential %s: %w", name, err)
			}
		}
		if left, err := s.List(); err != nil || len(left) > 0 {
			return err
		}
		return os.RemoveAll(s.folder())
	})
}

// DeleteAll removes every entry, the folder, and store.key when no other instance needs it.
func (s *Store) DeleteAll(ctx context.Context) error {
	return s.delete(ctx, func() error { return os.RemoveAll(s.folder()) })
}

func (s *Store) delete(ctx context.Context, remove func() error) error {
	if _, err := os.Stat(s.root); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	err := s.locked(ctx, func() error {
		if err := remove(); err != nil {
			return err
		}
		removeStale(s.root)
		// Folders go where they are empty; the instance's may hold what others put there.
		_ = os.Remove(s.dir)
		if users, err := filepath.Glob(filepath.Join(globQuote(s.root), "*", "credentials")); err != nil || len(users) > 0 {
			return err
		}
		return s.keys.forget()
	})
	_ = os.Remove(s.root)
	return err
}

func (s *Store) locked(ctx context.Context, do func() error) error {
	l, err := lock.Acquire(ctx, filepath.Join(s.root, "store.lock"), "", nil)
	if err != nil {
		return fmt.Errorf("the credential store: %w", err)
	}
	return errors.Join(do(), l.Release())
}

func owner() string {
	host, _ := os.Hostname()
	for _, name := range []string{"USER", "LOGNAME", "USERNAME"} {
		if u := os.Getenv(name); u != "" {
			return u + "@" + host
		}
	}
	return fmt.Sprintf("uid-%d@%s", os.Getuid(), host)
}

// globQuote keeps a folder's own name from being read as a pattern.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
