package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/envctl/envctl/internal/secret"
)

const format = 1

// file is an entry on disk: JSON, mode 0600.
type file struct {
	Format  int               `json:"format"`
	Name    string            `json:"name"`
	Version Version           `json:"version"`
	Created time.Time         `json:"created"`
	Key     string            `json:"key"` // the id of the key that Sealed is sealed to
	Public  map[string]string `json:"public,omitempty"`
	// Sealed is the sealed part, an age file.
	Sealed []byte `json:"sealed"`
}

// sealed repeats name and version, so that what stands in clear cannot be put beside another secret.
type sealed struct {
	Name    string                 `json:"name"`
	Version string                 `json:"version"`
	Values  map[string]secret.Text `json:"values"`
}

func (f *file) entry() Entry {
	return Entry{Name: f.Name, Version: f.Version, Created: f.Created, Public: f.Public}
}

func seal(e Entry, k *key) (*file, error) {
	plain, err := json.Marshal(sealed{Name: e.Name, Version: e.Version.ID, Values: e.Values})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &file{Format: format, Name: e.Name, Version: e.Version, Created: e.Created, Key: k.id, Public: e.Public, Sealed: out.Bytes()}, nil
}

func (f *file) unseal(k *key) (map[string]secret.Text, error) {
	r, err := age.Decrypt(bytes.NewReader(f.Sealed), k.identity)
	if err != nil {
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	var in sealed
	if err := json.Unmarshal(plain, &in); err != nil {
		return nil, errors.New("the sealed part is not an entry") // the decoder's own words may quote it
	}
	if in.Name != f.Name || in.Version != f.Version.ID {
		return nil, errors.New("the file was edited: what it has in clear is not what was sealed")
	}
	return in.Values, nil
}

func readFile(path string) (*file, bool, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read a credential: %w", err)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, false, fmt.Errorf("the credential in %s is damaged (%w); remove the file to have it made again", path, err)
	}
	if f.Format > format {
		return nil, false, fmt.Errorf("the credential in %s was written by a newer envctl (format %d); use that one", path, f.Format)
	}
	return &f, true, nil
}

func writeFile(path string, f *file) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomic(path, append(text, '\n'))
}

const temporary = ".new-"

// removeStale removes what writers left in a folder that died. The store's lock must be held.
func removeStale(dir string) {
	stale, _ := filepath.Glob(filepath.Join(globQuote(dir), temporary+"*"))
	for _, old := range stale {
		_ = os.Remove(old)
	}
}

// writeAtomic makes path hold text, or leaves it as it was. The store's lock must be held: whatever
// temporary file is there was left by a writer that died.
func writeAtomic(path string, text []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep a credential: %w", err)
		}
	}()
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	removeStale(dir)
	f, err := os.CreateTemp(dir, temporary+"*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil { // the rename itself; not every system can
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// fileName escapes all but what every file system tells apart and allows: capitals too.
func fileName(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}
