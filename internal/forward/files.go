package forward

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Port is a port of 127.0.0.1 and where its connections go, as the environment's network knows it ("db:5432").
type Port struct {
	Listen int    `json:"listen"`
	To     string `json:"to"`
}

// Table is what a forward is to do. Its file is how `up` and `down` speak to the process: it does what the file says
// now, and ends when the file is gone.
type Table struct {
	Environment string `json:"environment"`
	Instance    string `json:"instance"`
	Ports       []Port `json:"ports"`
}

func (t Table) digest() string {
	text, _ := json.Marshal(t) // strings and numbers only
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Taken is a port of this computer that could not be listened on.
type Taken struct {
	Port  int    `json:"port"`
	Error string `json:"error"`
}

// State is how a forward is, as it says itself.
type State struct {
	PID    int     `json:"pid"`
	Speaks int     `json:"speaks"` // see speaks
	Table  string  `json:"table"`  // digest of the table that it follows
	Up     bool    `json:"up"`     // the link is
	Error  string  `json:"error,omitempty"`
	Taken  []Taken `json:"taken,omitempty"`
}

// speaks is what the two ends of a link say to each other. The end inside is replaced with envctl; with another number
// the process on this computer is too.
const speaks = 2

// Follows reports whether the state is one that t led to.
func (s State) Follows(t Table) bool { return s.Table == t.digest() }

// Dir is a forward's folder.
type Dir string

// LockPath is held by the process while it runs.
func (d Dir) LockPath() string { return filepath.Join(string(d), "lock") }

func (d Dir) statePath() string { return filepath.Join(string(d), "state.json") }

// LogPath is the process's log.
func (d Dir) LogPath() string { return filepath.Join(string(d), "log") }

// WriteTable makes t what the process is to do.
func (d Dir) WriteTable(t Table) error { return d.write("table.json", t) }

// Table gives what the process is to do; ErrNotExist is that it is to end.
func (d Dir) Table() (t Table, err error) {
	err = d.read("table.json", &t)
	return t, err
}

// RemoveTable has the process end.
func (d Dir) RemoveTable() error {
	err := os.Remove(filepath.Join(string(d), "table.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// WriteState says how the process is.
func (d Dir) WriteState(s State) error { return d.write(filepath.Base(d.statePath()), s) }

// State gives how the process said it is, if it still runs.
func (d Dir) State() (s State, err error) {
	err = d.read(filepath.Base(d.statePath()), &s)
	return s, err
}

func (d Dir) read(name string, v any) error {
	text, err := os.ReadFile(filepath.Join(string(d), name))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// write replaces a file whole, so that nobody reads half of it.
func (d Dir) write(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(d), name+".")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(d), name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
