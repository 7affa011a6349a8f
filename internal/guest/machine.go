package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
)

// Machine is the Windows machine that the helper runs on, as far as a stack of layers touches it.
type Machine struct {
	// Dir is the helper's own folder, %ProgramData%\envctl; administrators only.
	Dir string
	// BootID changes with every boot, and with nothing else.
	BootID string

	kinds   map[string]kind
	seal    func([]byte) ([]byte, error) // for this machine only
	unseal  func([]byte) ([]byte, error)
	restart func() error // asks Windows to restart; returns at once
	now     func() time.Time
}

// kind is what the helper knows of one sort of layer. A method may be called again after the helper
// was killed at any point of it, so each tolerates what it finds half done or already gone.
type kind interface {
	// observe says how the machine differs from what the layer left.
	observe(ctx context.Context, s *step) (drift, error)
	// apply makes the layer true. Before each change it saves what undo needs.
	apply(ctx context.Context, s *step) error
	// undo puts back what was there, from what apply saved: nothing, if it did not come that far.
	undo(ctx context.Context, s *step) error
}

// resumer is a kind whose layer can be complete although its apply was cut off.
type resumer interface {
	resume(ctx context.Context, s *step) (complete bool, err error)
}

// What a kind's apply answers where the machine has to restart. After errRestart the layer is not
// complete yet: its kind's resume says when. After errRestarting it is; an installer restarts by itself.
var (
	errRestart    = errors.New("the machine has to restart")
	errRestarting = errors.New("the machine restarts")
)

// step is one layer being worked on.
type step struct {
	machine *Machine
	layer   guestproto.Layer
	// log gives the person a line. What is secret in any layer of the request is masked in it.
	log func(format string, args ...any)
	// rebootPending notes that Windows wants to restart.
	rebootPending func() error
	pending       bool // whether that was noted since the last boot

	file   string // where the record lies
	record record
}

// record is what is kept, sealed, for each layer: the layer itself, so that it can be undone from the
// machine alone, and what its kind saved.
type record struct {
	Layer guestproto.Layer `json:"layer"`
	Saved json.RawMessage  `json:"saved,omitempty"`
}

// save keeps what undo and observe will need. It is on disk when save returns.
func (s *step) save(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.record.Saved = b
	return s.machine.writeRecord(s.file, s.record)
}

// saved gives back what the last save kept; false where there was none.
func (s *step) saved(v any) (bool, error) {
	if len(s.record.Saved) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(s.record.Saved, v); err != nil {
		return false, fmt.Errorf("read what was recorded: %w", err)
	}
	return true, nil
}

// backup is a name in the helper's folder for something that the layer moves out of the way.
func (s *step) backup(name string) string {
	base := filepath.Base(s.file)
	return filepath.Join(s.machine.Dir, "backup", base[:len(base)-len(filepath.Ext(base))]+"-"+name)
}

// cached gives the path of a source's content.
func (s *step) cached(src guestproto.Source) (string, error) {
	if !isHex(src.SHA256) {
		return "", fmt.Errorf("source %s has no sha256", src.Name)
	}
	path := filepath.FromSlash(guestproto.CacheFile(s.machine.Dir, src.SHA256))
	sum, err := fileSHA256(path)
	if err != nil {
		return "", fmt.Errorf("%s has not been uploaded: %w", src.Name, err)
	}
	if sum != src.SHA256 {
		return "", fmt.Errorf("%s was uploaded with sha256 %s, want %s: remove %s and try again", src.Name, sum, src.SHA256, path)
	}
	return path, nil
}
