package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// Observe says what the machine holds, and what of it is no longer as it was left. It changes nothing.
func (m *Machine) Observe(ctx context.Context) (guestproto.Observation, error) {
	o := guestproto.Observation{BootID: m.BootID}
	man, err := m.readManifest()
	if err != nil || man == nil {
		return o, err
	}
	o.Manifest = man
	steps, errs := make([]*step, len(man.Layers)), make([]error, len(man.Layers))
	masks := &secret.Masker{} // of all layers: somebody may have put one layer's secret where another looks
	for i, l := range man.Layers {
		if steps[i], errs[i] = m.recordedStep(l); errs[i] == nil {
			hide(masks, steps[i].layer)
		}
	}
	for i, l := range man.Layers {
		if err := ctx.Err(); err != nil {
			return o, err
		}
		if !l.Complete {
			continue
		}
		d := m.drift(ctx, l.Kind, steps[i], errs[i])
		if len(d.words) == 0 {
			continue
		}
		if o.Drifted == nil {
			o.Drifted, o.Differences = map[string]string{}, map[string][]guestproto.Difference{}
		}
		id := guestproto.Layer{Kind: l.Kind, Name: l.Name}.ID()
		o.Drifted[id] = masks.Text(d.inWords())
		if parts := d.masked(masks.Text); len(parts) > 0 {
			o.Differences[id] = parts
		}
	}
	return o, nil
}

// drift treats what cannot be told as drift: applying the layer again says what is wrong.
func (m *Machine) drift(ctx context.Context, kind string, s *step, err error) drift {
	k := m.kinds[kind]
	switch {
	case k == nil:
		return drifted("this helper knows no %q layer", kind)
	case err != nil:
		return drifted("cannot be told: %v", err)
	case s.record.Layer.Kind == "":
		return drifted("its record is gone")
	}
	d, err := k.observe(ctx, s)
	if err != nil {
		return drifted("cannot be told: %v", err)
	}
	return d
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
