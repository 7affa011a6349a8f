package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// ErrOwned says that another environment, or another instance of this one, holds the machine.
var ErrOwned = errors.New("the machine is held by another environment")

// walk makes one ApplyRequest true.
type walk struct {
	m    *Machine
	req  guestproto.ApplyRequest
	man  *guestproto.Manifest
	emit func(guestproto.Event)
	mask func(string) string

	forgotten bool // nothing of ours is left but the folder
}

// Apply carries out a request and reports each step to emit, the last being "end". Between two
// layers it heeds ctx; what a layer has begun, it brings to an end that the next Apply understands.
func (m *Machine) Apply(ctx context.Context, req guestproto.ApplyRequest, emit func(guestproto.Event)) error {
	masks := &secret.Masker{}
	hide(masks, req.Layers...)
	w := &walk{m: m, req: req, mask: masks.Text}
	w.emit = func(e guestproto.Event) {
		e.Message, e.Error = masks.Text(e.Message), masks.Text(e.Error)
		emit(e)
	}
	err := w.run(ctx, masks)
	end := guestproto.Event{Type: "end"}
	if err != nil {
		end.Error = err.Error()
	}
	w.emit(end)
	return err
}

func (w *walk) run(ctx context.Context, masks *secret.Masker) error {
	unlock, err := w.m.lock(ctx, func() {
		w.emit(guestproto.Event{Type: "log", Message: "waiting for another envctl that works on this machine"})
	})
	if err != nil {
		return err
	}
	defer func() {
		unlock()
		if w.forgotten { // the lock was the last thing in it
			os.Remove(w.m.Dir)
		}
	}()
	if err := w.check(); err != nil {
		return err
	}
	if w.man == nil {
		if len(w.req.Layers) == 0 {
			return w.finish()
		}
		w.man = &guestproto.Manifest{Owner: w.req.Owner}
	}
	w.man.Owner = w.req.Owner
	if w.man.PendingReboot != "" && w.man.PendingReboot != w.m.BootID {
		w.man.PendingReboot = ""
	}
	if err := w.m.prepareDir(); err != nil {
		return err
	}
	if err := w.m.writeManifest(w.man); err != nil {
		return err
	}
	err = w.undoAbove(ctx, masks)
	for i := w.req.Keep; err == nil && i < len(w.req.Layers); i++ {
		if err = ctx.Err(); err == nil {
			err = w.apply(ctx, w.req.Layers[i])
		}
	}
	if errors.Is(err, errRestart) || errors.Is(err, errRestarting) {
		return nil // the reboot event was sent: the rest comes with the next request
	}
	if err != nil {
		return err
	}
	return w.finish()
}

// check reads the manifest and refuses a request that does not fit it, before anything is touched.
func (w *walk) check() (err error) {
	if w.man, err = w.m.readManifest(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, l := range w.req.Layers {
		if w.m.kinds[l.Kind] == nil {
			return fmt.Errorf("layer %s: this helper knows no %q layer: upgrade envctl", l.ID(), l.Kind)
		}
		if !hasBody(l) {
			return fmt.Errorf("layer %s has no body of its kind", l.ID())
		}
		if seen[l.ID()] {
			return fmt.Errorf("layer %s is there twice", l.ID())
		}
		seen[l.ID()] = true
	}
	kept := []guestproto.ManifestLayer(nil)
	if w.man != nil {
		kept = w.man.Layers
		if o, want := w.man.Owner, w.req.Owner; o.Environment != want.Environment || o.Instance != want.Instance {
			return fmt.Errorf("%w: %q, instance %q, from %s; take that one down first", ErrOwned, o.Environment, o.Instance, orUnknown(o.SpecDir))
		}
	}
	if w.req.Keep < 0 || w.req.Keep > len(w.req.Layers) || w.req.Keep > len(kept) {
		return fmt.Errorf("asked to keep %d layers, the machine has %d: plan again", w.req.Keep, len(kept))
	}
	for i, l := range w.req.Layers[:w.req.Keep] {
		if !kept[i].Complete || kept[i].Hash != l.Hash || kept[i].Kind != l.Kind || kept[i].Name != l.Name {
			return fmt.Errorf("layer %s is not on the machine as planned: someone else changed it; plan again", l.ID())
		}
	}
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown folder"
	}
	return s
}

// undoAbove takes the layers above Keep off, the last first. One that waited for a restart which has
// come about is not taken off but completed.
func (w *walk) undoAbove(ctx context.Context, masks *secret.Masker) error {
	for len(w.man.Layers) > w.req.Keep {
		if err := ctx.Err(); err != nil {
			return err
		}
		top := &w.man.Layers[len(w.man.Layers)-1]
		s, err := w.step(*top)
		if err != nil {
			return fmt.Errorf("layer %s: %w", top.Kind+"."+top.Name, err)
		}
		hide(masks, s.layer)
		if len(w.man.Layers) == w.req.Keep+1 {
			done, err := w.resume(ctx, s, top)
			if err != nil || done {
				return err
			}
		}
		if err := w.undo(ctx, s, top); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) resume(ctx context.Context, s *step, top *guestproto.ManifestLayer) (bool, error) {
	r, ok := w.m.kinds[top.Kind].(resumer)
	if !ok || top.Complete || w.req.Keep >= len(w.req.Layers) || w.req.Layers[w.req.Keep].Hash != top.Hash {
		return false, nil
	}
	done, err := r.resume(ctx, s)
	if errors.Is(err, errRestart) {
		return false, w.restart(s.layer.ID())
	}
	if err != nil || !done {
		return false, w.failed(s.layer.ID(), err)
	}
	w.req.Keep++
	return true, w.complete(s.layer.ID(), top)
}

func (w *walk) undo(ctx context.Context, s *step, top *guestproto.ManifestLayer) error {
	id := s.layer.ID()
	w.emit(guestproto.Event{Type: "undo", Layer: id})
	k := w.m.kinds[top.Kind]
	if k == nil {
		return w.failed(id, fmt.Errorf("this helper knows no %q layer: upgrade envctl", top.Kind))
	}
	top.Complete = false
	if err := w.m.writeManifest(w.man); err != nil {
		return w.failed(id, err)
	}
	if s.record.Layer.Kind != "" { // without a record nothing was changed
		if err := k.undo(ctx, s); err != nil {
			return w.failed(id, fmt.Errorf("undo: %w", err))
		}
	}
	w.man.Layers = w.man.Layers[:len(w.man.Layers)-1]
	if err := w.m.writeManifest(w.man); err != nil {
		return w.failed(id, err)
	}
	_ = removeFile(s.file) // sealed, and of no more use; it goes with the folder at the latest
	w.emit(guestproto.Event{Type: "done", Layer: id, Message: "undone"})
	return nil
}

func (w *walk) apply(ctx context.Context, l guestproto.Layer) error {
	id := l.ID()
	w.emit(guestproto.Event{Type: "apply", Layer: id})
	entry := guestproto.ManifestLayer{Kind: l.Kind, Name: l.Name, Hash: l.Hash, Parts: l.Parts, Applied: w.m.now().UTC()}
	s, err := w.step(entry)
	if err != nil {
		return w.failed(id, err)
	}
	s.layer, s.record = l, record{Layer: l}
	// The record first: a manifest never names a layer that could not be undone.
	if err := w.m.writeRecord(s.file, s.record); err != nil {
		return w.failed(id, err)
	}
	w.man.Layers = append(w.man.Layers, entry)
	if err := w.m.writeManifest(w.man); err != nil {
		return w.failed(id, err)
	}
	err = w.m.kinds[l.Kind].apply(ctx, s)
	switch {
	case errors.Is(err, errRestart):
		return w.restart(id)
	case errors.Is(err, errRestarting):
		if cerr := w.complete(id, &w.man.Layers[len(w.man.Layers)-1]); cerr != nil {
			return cerr
		}
		w.emit(guestproto.Event{Type: "reboot", Layer: id})
		return err
	case err != nil:
		return w.failed(id, err)
	}
	return w.complete(id, &w.man.Layers[len(w.man.Layers)-1])
}

// restart says so and does it; what it answers is not nil.
func (w *walk) restart(id string) error {
	w.emit(guestproto.Event{Type: "reboot", Layer: id})
	if err := w.m.restart(); err != nil {
		return w.failed(id, fmt.Errorf("restart the machine: %w", err))
	}
	return errRestart
}

// complete marks the top layer as applied.
func (w *walk) complete(id string, top *guestproto.ManifestLayer) error {
	top.Complete, top.Applied = true, w.m.now().UTC()
	if err := w.m.writeManifest(w.man); err != nil {
		return w.failed(id, err)
	}
	w.emit(guestproto.Event{Type: "done", Layer: id})
	return nil
}

// failed reports an error on a layer, with what is secret masked, and gives it back; nil for nil.
func (w *walk) failed(id string, err error) error {
	if err == nil {
		return nil
	}
	text := w.mask(err.Error())
	w.emit(guestproto.Event{Type: "failed", Layer: id, Error: text})
	return fmt.Errorf("layer %s: %s", id, text)
}

// step prepares to work on a layer that the manifest names.
func (w *walk) step(entry guestproto.ManifestLayer) (*step, error) {
	s, err := w.m.recordedStep(entry)
	if err != nil {
		return nil, err
	}
	id := s.layer.ID()
	s.pending = w.man.PendingReboot == w.m.BootID
	s.log = func(format string, args ...any) {
		w.emit(guestproto.Event{Type: "log", Layer: id, Message: fmt.Sprintf(format, args...)})
	}
	s.rebootPending = func() error {
		w.man.PendingReboot, s.pending = w.m.BootID, true
		return w.m.writeManifest(w.man)
	}
	return s, nil
}

// recordedStep is a step on what was recorded of a layer, with nobody to tell.
func (m *Machine) recordedStep(entry guestproto.ManifestLayer) (*step, error) {
	bare := guestproto.Layer{Kind: entry.Kind, Name: entry.Name, Hash: entry.Hash}
	s := &step{machine: m, layer: bare, log: func(string, ...any) {}, file: m.recordFile(bare.ID(), entry.Hash)}
	s.rebootPending = func() error { return nil }
	r, err := m.readRecord(s.file)
	if err != nil {
		return nil, err
	}
	if r.Layer.Kind != "" {
		s.layer, s.record = r.Layer, r
	}
	return s, nil
}

// finish removes what nothing needs any more: records without a layer, sources that no layer has,
// or, where the request says so, everything.
func (w *walk) finish() error {
	if w.req.Forget && (w.man == nil || len(w.man.Layers) == 0) {
		w.forgotten = true
		return w.m.forget()
	}
	if w.man == nil {
		return nil
	}
	records, sources := map[string]bool{}, map[string]bool{}
	for _, l := range w.man.Layers {
		records[filepath.Base(w.m.recordFile(l.Kind+"."+l.Name, l.Hash))] = true
	}
	for _, l := range w.req.Layers {
		for _, src := range sourcesOf(l) {
			sources[src.SHA256] = true
		}
	}
	removeExcept(filepath.Join(w.m.Dir, "layers"), records)
	removeExcept(filepath.Join(w.m.Dir, "cache"), sources)
	return nil
}

func sourcesOf(l guestproto.Layer) []guestproto.Source {
	switch {
	case l.Package != nil:
		return []guestproto.Source{l.Package.Source}
	case l.Archive != nil:
		return []guestproto.Source{l.Archive.Source}
	case l.File != nil && l.File.Source != nil:
		return []guestproto.Source{*l.File.Source}
	case l.Certificate != nil && l.Certificate.Source != nil:
		return []guestproto.Source{*l.Certificate.Source}
	}
	return nil
}
