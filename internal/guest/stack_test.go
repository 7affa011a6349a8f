package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// planted must be found in nothing that the helper says or leaves in the clear.
const planted = "pl4nted-s3cret"

// world is what memory kinds change: a map that can be compared.
type world struct {
	values map[string]string
	// killAt counts down at each change and each write of the helper; at zero the helper is "killed".
	killAt int
}

type killed struct{}

// point is a place at which the helper may be killed.
func (w *world) point() {
	w.killAt--
	if w.killAt == 0 {
		panic(killed{})
	}
}

// memoryKind sets two values of the world, one after the other.
type memoryKind struct{ w *world }

func (k memoryKind) keys(s *step) []string { return []string{s.layer.Name + ".a", s.layer.Name + ".b"} }

func (k memoryKind) apply(_ context.Context, s *step) error {
	before := map[string]string{}
	for _, key := range k.keys(s) {
		if v, ok := k.w.values[key]; ok {
			before[key] = v
		}
	}
	if err := s.save(before); err != nil {
		return err
	}
	for _, key := range k.keys(s) {
		k.w.point()
		k.w.values[key] = s.layer.Env.Value.Reveal()
		k.w.point()
	}
	if s.layer.Env.Value.Reveal() == "fail" {
		return errors.New("it does not want to: " + planted)
	}
	return nil
}

func (k memoryKind) undo(_ context.Context, s *step) error {
	before := map[string]string{}
	if ok, err := s.saved(&before); !ok {
		return err
	}
	for _, key := range k.keys(s) {
		k.w.point()
		delete(k.w.values, key)
		if v, ok := before[key]; ok {
			k.w.values[key] = v
		}
		k.w.point()
	}
	return nil
}

func (k memoryKind) observe(_ context.Context, s *step) (d drift, err error) {
	for _, key := range k.keys(s) {
		if is := k.w.values[key]; is != s.layer.Env.Value.Reveal() {
			d.say("%s differs from %s", key, s.layer.Env.Value.Reveal())
			d.part(key, s.layer.Env.Value.Reveal(), is)
		}
	}
	return d, nil
}

// memoryMachine has the kind "env" alone, on w. Sealing is a point of its own, since a record is
// written right after.
func memoryMachine(t *testing.T, w *world) *Machine {
	m := testMachine(t)
	m.kinds = map[string]kind{"env": memoryKind{w}}
	m.seal = func(b []byte) ([]byte, error) { w.point(); return b, nil }
	m.now = func() time.Time { w.point(); return time.Unix(0, 0) }
	return m
}

func memoryLayer(name, value string) guestproto.Layer {
	return guestproto.Layer{Kind: "env", Name: name, Env: &guestproto.Env{Value: secret.Plain(value)}}
}

// numbered gives each layer a hash that covers it and those under it.
func numbered(layers ...guestproto.Layer) []guestproto.Layer {
	under := ""
	for i, l := range layers {
		l.Hash = ""
		b, _ := json.Marshal(l)
		under = textSHA256(under + string(b))
		layers[i].Hash = under
	}
	return layers
}

var testOwner = guestproto.Owner{Environment: "e", Instance: "i", SpecDir: "/spec"}

// apply gives the events as text.
func apply(m *Machine, keep int, layers ...guestproto.Layer) (string, error) {
	var events strings.Builder
	err := m.Apply(context.Background(), guestproto.ApplyRequest{Owner: testOwner, Layers: numbered(layers...), Keep: keep},
		func(e guestproto.Event) {
			fmt.Fprintln(&events, strings.Join(strings.Fields(strings.Join([]string{e.Type, e.Layer, e.Message, e.Error}, " ")), " "))
		})
	return events.String(), err
}

// converge is what envctl does: it looks, keeps what fits, and applies the rest.
func converge(t *testing.T, m *Machine, layers ...guestproto.Layer) {
	t.Helper()
	o, err := m.Observe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	keep := 0
	if o.Manifest != nil {
		for i, l := range numbered(layers...) {
			if i >= len(o.Manifest.Layers) || !o.Manifest.Layers[i].Complete || o.Manifest.Layers[i].Hash != l.Hash || o.Drifted[l.ID()] != "" {
				break
			}
			keep = i + 1
		}
	}
	if events, err := apply(m, keep, layers...); err != nil {
		t.Fatalf("%v\n%s", err, events)
	}
}

func TestOnlyWhatIsAboveTheChangeIsTouched(t *testing.T) {
	w := &world{values: map[string]string{"b.a": "was"}}
	m := memoryMachine(t, w)
	if _, err := apply(m, 0, memoryLayer("a", "1"), memoryLayer("b", "2"), memoryLayer("c", "3")); err != nil {
		t.Fatal(err)
	}
	events, err := apply(m, 1, memoryLayer("a", "1"), memoryLayer("b", "9"), memoryLayer("c", "3"))
	if err != nil {
		t.Fatal(err)
	}
	want := `undo env.c
done env.c undone
undo env.b
done env.b undone
apply env.b
done env.b
apply env.c
done env.c
end
`
	if events != want {
		t.Errorf("events:\n%s", events)
	}
	if w.values["b.a"] != "9" {
		t.Errorf("the world: %v", w.values)
	}
	if _, err := apply(m, 0); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(w.values, map[string]string{"b.a": "was"}) {
		t.Errorf("left behind: %v", w.values)
	}
}

// A helper that is killed at any point, in the first apply, in a change, or in taking down, leaves a
// machine that the next one puts right, and that ends as it began.
func TestKilledAnywhereItConverges(t *testing.T) {
	origin := map[string]string{"b.a": "was", "other": "stays"}
	first := []guestproto.Layer{memoryLayer("a", "1"), memoryLayer("b", "2"), memoryLayer("c", "3")}
	second := []guestproto.Layer{memoryLayer("a", "1"), memoryLayer("b", "9"), memoryLayer("d", "4")}
	for at := 1; ; at++ {
		w := &world{values: maps.Clone(origin), killAt: at}
		m := memoryMachine(t, w)
		survived := func() (ok bool) {
			defer func() {
				if r := recover(); r != nil {
					if _, is := r.(killed); !is {
						panic(r)
					}
				}
			}()
			converge(t, m, slices.Clone(first)...)
			converge(t, m, slices.Clone(second)...)
			converge(t, m)
			return true
		}()
		w.killAt = 0
		if !survived {
			converge(t, m, slices.Clone(second)...)
			want := map[string]string{"other": "stays", "a.a": "1", "a.b": "1", "b.a": "9", "b.b": "9", "d.a": "4", "d.b": "4"}
			if !maps.Equal(w.values, want) {
				t.Fatalf("killed at %d: %v", at, w.values)
			}
			converge(t, m)
		}
		if !maps.Equal(w.values, origin) {
			t.Fatalf("killed at %d: ended as %v", at, w.values)
		}
		if left, _ := os.ReadDir(filepath.Join(m.Dir, "layers")); len(left) != 0 {
			t.Fatalf("killed at %d: %d records are left", at, len(left))
		}
		if survived {
			if at < 40 {
				t.Fatalf("only %d points: the test kills less than it says", at)
			}
			return
		}
	}
}

func TestAFailureKeepsWhatWasDoneAndSaysWhat(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	hide := memoryLayer("x", planted)
	hide.Env.Value.Sensitive = true
	events, err := apply(m, 0, hide, memoryLayer("b", "fail"), memoryLayer("c", "3"))
	if err == nil || strings.Contains(events+err.Error(), planted) {
		t.Errorf("err %v, events:\n%s", err, events)
	}
	if !strings.Contains(events, "failed env.b it does not want to: (sensitive)") || strings.Contains(events, "env.c") {
		t.Errorf("events:\n%s", events)
	}
	o, err := m.Observe(context.Background())
	if err != nil || len(o.Manifest.Layers) != 2 || !o.Manifest.Layers[0].Complete || o.Manifest.Layers[1].Complete {
		t.Errorf("manifest %+v (%v)", o.Manifest, err)
	}
}

func TestDriftIsSeenAndMaskedWhereItIsSecret(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	l := memoryLayer("a", planted)
	l.Env.Value.Sensitive = true
	if _, err := apply(m, 0, l); err != nil {
		t.Fatal(err)
	}
	w.values["a.b"] = "by hand"
	o, err := m.Observe(context.Background())
	if err != nil || o.Drifted["env.a"] != "a.b differs from (sensitive)" {
		t.Errorf("drifted %v (%v)", o.Drifted, err)
	}
	if diff := cmp.Diff([]guestproto.Difference{{Name: "a.b", Want: "(sensitive)", Is: "by hand"}}, o.Differences["env.a"]); diff != "" {
		t.Error(diff)
	}
}

// Somebody put the secret of one layer where another, which has none, looks.
func TestDriftThatIsAnothersSecretIsMasked(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	l := memoryLayer("b", planted)
	l.Env.Value.Sensitive = true
	if _, err := apply(m, 0, memoryLayer("a", "plain"), l); err != nil {
		t.Fatal(err)
	}
	w.values["a.b"] = "Password=" + planted
	o, err := m.Observe(context.Background())
	if diff := cmp.Diff([]guestproto.Difference{{Name: "a.b", Want: "plain", Is: "Password=(sensitive)"}}, o.Differences["env.a"]); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestWhatIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	base := []guestproto.Layer{memoryLayer("a", "1"), memoryLayer("b", "2")}
	for _, test := range []struct {
		name string
		req  guestproto.ApplyRequest
		file string // the manifest's content, where it is not ours
		want string
	}{
		{"another instance", guestproto.ApplyRequest{Owner: guestproto.Owner{Environment: "e", Instance: "j"}}, "", `held by another environment: "e", instance "i", from /spec`},
		{"keeps too much", guestproto.ApplyRequest{Owner: testOwner, Layers: numbered(memoryLayer("a", "1"), memoryLayer("b", "2"), memoryLayer("c", "3")), Keep: 3}, "", "the machine has 2: plan again"},
		{"keeps another", guestproto.ApplyRequest{Owner: testOwner, Layers: numbered(memoryLayer("a", "7")), Keep: 1}, "", "not on the machine as planned"},
		{"unknown kind", guestproto.ApplyRequest{Owner: testOwner, Layers: []guestproto.Layer{{Kind: "moon", Name: "x"}}}, "", `no "moon" layer`},
		{"twice", guestproto.ApplyRequest{Owner: testOwner, Layers: numbered(memoryLayer("a", "1"), memoryLayer("a", "2"))}, "", "there twice"},
		{"no body", guestproto.ApplyRequest{Owner: testOwner, Layers: []guestproto.Layer{{Kind: "env", Name: "x"}}}, "", "no body"},
		{"newer manifest", guestproto.ApplyRequest{Owner: testOwner}, `{"version":99}`, "newer envctl"},
		{"broken manifest", guestproto.ApplyRequest{Owner: testOwner}, `nonsense`, "not written by envctl"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{values: map[string]string{}}
			m := memoryMachine(t, w)
			if _, err := apply(m, 0, slices.Clone(base)...); err != nil {
				t.Fatal(err)
			}
			before := maps.Clone(w.values)
			if test.file != "" {
				os.WriteFile(m.manifestFile(), []byte(test.file), 0o600)
			}
			err := m.Apply(context.Background(), test.req, func(guestproto.Event) {})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err %v", err)
			}
			if !maps.Equal(w.values, before) {
				t.Errorf("touched: %v", w.values)
			}
			if test.name == "another instance" != errors.Is(err, ErrOwned) {
				t.Errorf("ErrOwned: %v", err)
			}
		})
	}
}

func TestTwoAppliesDoNotMix(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	unlock, err := m.lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = m.Apply(ctx, guestproto.ApplyRequest{Owner: testOwner, Layers: numbered(memoryLayer("a", "1"))}, func(e guestproto.Event) {
		if strings.Contains(e.Message, "waiting for another") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(w.values) != 0 {
		t.Errorf("err %v, world %v", err, w.values)
	}
	unlock()
	if _, err := apply(m, 0, memoryLayer("a", "1")); err != nil {
		t.Error(err)
	}
}

func TestForgetLeavesNothing(t *testing.T) {
	w := &world{values: map[string]string{}}
	m := memoryMachine(t, w)
	if _, err := apply(m, 0, memoryLayer("a", "1")); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(m.Dir, "cache", "x"), []byte("x"), 0o600)
	err := m.Apply(context.Background(), guestproto.ApplyRequest{Owner: testOwner, Forget: true}, func(guestproto.Event) {})
	if err != nil || len(w.values) != 0 {
		t.Errorf("err %v, world %v", err, w.values)
	}
	if _, err := os.Stat(m.Dir); !errors.Is(err, os.ErrNotExist) {
		left, _ := os.ReadDir(m.Dir)
		t.Errorf("left: %v", left)
	}
}
