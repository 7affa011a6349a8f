package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

// stack plans a Windows machine: the layers that are there already stay as far as they are the same,
// from the first difference on the old ones are undone in reverse order and the new ones applied.
// The machine's sandbox decides where it is new, or not running at all.
func stack(op *Operation, sandbox providers.Action) {
	desired := op.Node.Layers
	var have []guestproto.ManifestLayer
	var drifted map[string]string
	var differences map[string][]guestproto.Difference
	fresh := op.Observed == nil || op.Observed.State == providers.Missing || op.Observed.Manifest == nil
	unseen := op.Observed != nil && op.Observed.State == providers.Unreachable
	switch {
	case sandbox == providers.Create || sandbox == providers.Replace:
		op.Action, op.Cause = providers.Create, "the machine is new"
		op.Observed = nil
	case unseen:
		op.Action, op.Keep = providers.Update, providers.KeepUnknown
		op.Cause = fmt.Sprintf("out of reach now (%s); its layers are compared once it is back", op.Observed.Detail)
		return
	case fresh && len(desired) == 0: // nothing is to be set up on it
	case fresh:
		op.Action, op.Cause = providers.Create, "not set up yet"
	default:
		have, drifted, differences = op.Observed.Manifest.Layers, op.Observed.Drifted, op.Observed.Differences
	}

	var why string
	op.Keep, why = shared(desired, have, drifted)
	for _, l := range desired[:op.Keep] {
		op.Layers = append(op.Layers, Layer{Name: l.ID(), Action: Keep})
	}
	above := have[op.Keep:]
	op.Layers = append(op.Layers, undo(above, "")...)
	for i, l := range desired[op.Keep:] {
		cause := "a layer under it changed"
		if i == 0 {
			cause = why
		} else if len(above) == 0 {
			cause = "new"
		}
		if drift := drifted[l.ID()]; drift != "" && !strings.Contains(cause, byHand) {
			cause += "; " + byHand + drift
		}
		op.Layers = append(op.Layers, Layer{Name: l.ID(), Action: Apply, Cause: cause, Values: layerValues(l, above, differences[l.ID()])})
	}
	if op.Action == providers.None && (op.Keep < len(desired) || len(above) > 0) {
		op.Action, op.Cause = providers.Update, why
		if op.Keep < len(desired) {
			op.Cause = fmt.Sprintf("%s: %s", desired[op.Keep].ID(), why)
		}
	}
}

// KeepOf says how many of the desired layers a machine already has, counted from the bottom: those whose
// hash is the same, that were applied to the end, and that nobody changed since.
func KeepOf(desired []guestproto.Layer, have []guestproto.ManifestLayer, drifted map[string]string) int {
	n, _ := shared(desired, have, drifted)
	return n
}

// shared is KeepOf with the reason why the next layer is not kept.
func shared(desired []guestproto.Layer, have []guestproto.ManifestLayer, drifted map[string]string) (int, string) {
	for i, want := range desired {
		if i >= len(have) {
			return i, "new"
		}
		got := have[i]
		switch drift, isDrifted := drifted[want.ID()]; {
		case got.Kind != want.Kind || got.Name != want.Name:
			return i, fmt.Sprintf("%s.%s stood in its place", got.Kind, got.Name)
		case !got.Complete:
			return i, "its last application was cut short"
		case got.Hash != want.Hash:
			return i, "changed"
		case isDrifted:
			return i, byHand + drift
		}
	}
	if len(have) > len(desired) {
		top := have[len(desired)]
		return len(desired), fmt.Sprintf("%s.%s is no longer in the spec", top.Kind, top.Name)
	}
	return len(desired), ""
}

func undo(layers []guestproto.ManifestLayer, cause string) []Layer {
	var steps []Layer
	for i := len(layers) - 1; i >= 0; i-- {
		steps = append(steps, Layer{Name: layers[i].Kind + "." + layers[i].Name, Action: Undo, Cause: cause})
	}
	return steps
}

// byHand comes before what nobody but a person, or a program of theirs, can have done.
const byHand = "changed by hand: "

// layerValues says what differs of a layer that is applied again: what the spec changed of it, and what drifted.
func layerValues(l guestproto.Layer, was []guestproto.ManifestLayer, drifted []guestproto.Difference) []Value {
	values := changedParts(l, was)
	for _, d := range drifted {
		if i := slices.IndexFunc(values, func(v Value) bool { return v.Name == d.Name }); i >= 0 {
			values[i].Old = d.Is
			continue
		}
		values = append(values, Value{d.Name, d.Is, d.Want})
	}
	sortValues(values)
	return values
}

// changedParts says what differs of a layer that was there; nothing where it was not, or an earlier envctl made it.
func changedParts(l guestproto.Layer, was []guestproto.ManifestLayer) []Value {
	for _, w := range was {
		if w.Kind == l.Kind && w.Name == l.Name && w.Parts != nil {
			return difference(w.Parts, l.Parts)
		}
	}
	return nil
}
