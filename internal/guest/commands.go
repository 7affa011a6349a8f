package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/envctl/envctl/internal/guestproto"
)

// Observe says what the machine holds, and what of it is no longer as it was left. It changes nothing.
func (m *Machine) Observe(ctx context.Context) (guestproto.Observation, error) {
	o := guestproto.Observation{BootID: m.BootID}
	man, err := m.readManifest()
	if err != nil || man == nil {
		return o, err
	}
	o.Manifest = man
	for _, l := range man.Layers {
		if err := ctx.Err(); err != nil {
			return o, err
		}
		if !l.Complete {
			continue
		}
		if drift := m.drift(ctx, l); drift != "" {
			if o.Drifted == nil {
				o.Drifted = map[string]string{}
			}
			o.Drifted[guestproto.Layer{Kind: l.Kind, Name: l.Name}.ID()] = drift
		}
	}
	return o, nil
}

// drift treats what cannot be told as drift: applying the layer again says what is wrong.
func (m *Machine) drift(ctx context.Context, l guestproto.ManifestLayer) string {
	k := m.kinds[l.Kind]
	if k == nil {
		return fmt.Sprintf("this helper knows no %q layer", l.Kind)
	}
	s, err := m.recordedStep(l)
	if err != nil {
		return "cannot be told: " + err.Error()
	}
	if s.record.Layer.Kind == "" {
		return "its record is gone"
	}
	masks := newMasker()
	masks.layers([]guestproto.Layer{s.layer})
	drift, err := k.observe(ctx, s)
	if err != nil {
		drift = "cannot be told: " + err.Error()
	}
	return masks.mask(drift)
}

func (m *Machine) serveObserve(ctx context.Context, _ io.Reader, out io.Writer) error {
	o, err := m.Observe(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(o)
}

func (m *Machine) serveApply(ctx context.Context, in io.Reader, out io.Writer) error {
	var req guestproto.ApplyRequest
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var mu sync.Mutex // a layer's output comes from two streams
	lines := json.NewEncoder(out)
	return m.Apply(ctx, req, func(e guestproto.Event) {
		mu.Lock()
		defer mu.Unlock()
		_ = lines.Encode(e) // whoever stopped reading has gone; the layer's bookkeeping goes on
	})
}

func (m *Machine) serveCheck(ctx context.Context, in io.Reader, out io.Writer) error {
	var req guestproto.CheckRequest
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	return json.NewEncoder(out).Encode(Check(ctx, req))
}

var errNothingToCheck = errors.New("the check names no port, no http and no exec")
