package plan_test

import (
	"slices"
	"testing"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

// script reads a world out of bytes: whatever they are, they mean one.
type script struct{ rest []byte }

func (s *script) upTo(n int) int {
	if len(s.rest) == 0 || n == 0 {
		return 0
	}
	b := int(s.rest[0])
	s.rest = s.rest[1:]
	return b % n
}

var kinds = []addr.Kind{addr.Network, addr.Container, addr.Job, addr.Sandbox, addr.Gateway, addr.Windows}

func (s *script) addr() addr.Addr {
	return addr.Addr{Kind: kinds[s.upTo(len(kinds))], Name: string(rune('a' + s.upTo(4)))}
}

func (s *script) layers() (layers []guestproto.Layer, applied []guestproto.ManifestLayer) {
	for range s.upTo(5) {
		name, hash := string(rune('A'+s.upTo(3))), string(rune('0'+s.upTo(3)))
		layers = append(layers, guestproto.Layer{Kind: "env", Name: name, Hash: hash})
		applied = append(applied, guestproto.ManifestLayer{Kind: "env", Name: name, Hash: hash, Complete: s.upTo(4) > 0})
	}
	return layers, applied
}

func (s *script) world() (desired []providers.Node, observed []providers.Observed) {
	states := []providers.State{providers.Ready, providers.Starting, providers.Stopped, providers.Failed, providers.Missing, providers.Unreachable}
	for range s.upTo(8) {
		n := providers.Node{Addr: s.addr(), Identity: string(rune('0' + s.upTo(2))), Mutable: string(rune('0' + s.upTo(2)))}
		for range s.upTo(3) {
			n.After = append(n.After, s.addr())
		}
		if n.Addr.Kind == addr.Windows {
			n.Layers, _ = s.layers()
		}
		desired = append(desired, n)
	}
	seen := map[addr.Addr]bool{}
	for range s.upTo(8) {
		o := providers.Observed{Addr: s.addr(), Identity: string(rune('0' + s.upTo(2))), State: states[s.upTo(len(states))]}
		if seen[o.Addr] {
			continue // an engine lists each once
		}
		seen[o.Addr] = true
		for range s.upTo(3) {
			o.After = append(o.After, s.addr())
		}
		if o.Addr.Kind == addr.Windows && s.upTo(3) > 0 {
			_, applied := s.layers()
			o.Manifest = &guestproto.Manifest{Layers: applied}
			o.Drifted = map[string]string{"env." + string(rune('A'+s.upTo(3))): "edited"}
			o.Differences = map[string][]guestproto.Difference{"env." + string(rune('A'+s.upTo(3))): {{Name: "value", Is: "x"}}}
		}
		if o.Addr.Kind == addr.Container && s.upTo(3) > 0 {
			o.ByHand = []guestproto.Difference{{Name: "name", Is: "x"}}
		}
		observed = append(observed, o)
	}
	return desired, observed
}

// FuzzMake holds what every plan must keep, of whatever world: each resource once, nothing before what it waits
// for, the same plan for the same world, and nothing left to do once it was carried out.
func FuzzMake(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 5, 2, 2, 0, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &script{data}
		desired, observed := s.world()
		p, err := plan.Make(desired, observed)
		if err != nil {
			return // it cannot be ordered, or names what is not there
		}
		checkOrder(t, p)
		want := map[addr.Addr]bool{}
		for _, n := range desired {
			want[n.Addr] = true
		}
		for _, op := range p.Operations {
			if want[op.Addr] == (op.Action == providers.Delete) {
				t.Errorf("%s of %s", op.Action, op.Addr)
			}
			if op.Keep != providers.KeepUnknown && (op.Keep < 0 || op.Keep > len(op.Node.Layers)) {
				t.Errorf("%s keeps %d of %d layers", op.Addr, op.Keep, len(op.Node.Layers))
			}
		}
		again, err := plan.Make(slices.Clone(desired), slices.Clone(observed))
		if err != nil || again.String() != p.String() {
			t.Errorf("another plan of the same world: %v\n%s\n%s", err, p, again)
		}
		settled, err := plan.Make(desired, made(desired))
		if err != nil || settled.Changes() > 0 {
			t.Errorf("after it was carried out: %v\n%s", err, settled)
		}
		checkOrder(t, plan.Destroy(observed))
	})
}

func checkOrder(t *testing.T, p *plan.Plan) {
	t.Helper()
	done := map[addr.Addr]bool{}
	for _, op := range p.Operations {
		if done[op.Addr] {
			t.Errorf("%s stands twice:\n%s", op.Addr, p)
		}
		for _, a := range op.After {
			if !done[a] {
				t.Errorf("%s comes before %s:\n%s", op.Addr, a, p)
			}
		}
		done[op.Addr] = true
	}
}

// made is the world as a plan for desired leaves it.
func made(desired []providers.Node) (observed []providers.Observed) {
	for _, n := range desired {
		o := providers.Observed{Addr: n.Addr, Identity: n.Identity, Mutable: n.Mutable, State: providers.Ready, After: n.After}
		if n.Addr.Kind == addr.Windows {
			o.Manifest = &guestproto.Manifest{}
			for _, l := range n.Layers {
				o.Manifest.Layers = append(o.Manifest.Layers, guestproto.ManifestLayer{Kind: l.Kind, Name: l.Name, Hash: l.Hash, Complete: true})
			}
		}
		observed = append(observed, o)
	}
	return observed
}
