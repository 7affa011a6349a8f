package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

func at(t testing.TB, s string) addr.Addr {
	t.Helper()
	a, err := addr.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func node(t testing.TB, name, identity string, after ...string) providers.Node {
	n := providers.Node{Addr: at(t, name), Identity: identity, Parts: map[string]string{"image": identity}}
	for _, a := range after {
		n.After = append(n.After, at(t, a))
	}
	return n
}

func seen(t testing.TB, name, identity string, after ...string) providers.Observed {
	n := node(t, name, identity, after...)
	return providers.Observed{Addr: n.Addr, Identity: identity, Parts: n.Parts, After: n.After, State: providers.Ready}
}

// parts is container.db with parts of these names and values.
func parts(t testing.TB, identity string, pairs ...string) providers.Node {
	n := node(t, "container.db", identity)
	n.Parts = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		n.Parts[pairs[i]] = pairs[i+1]
	}
	return n
}

func layer(name, hash string) guestproto.Layer {
	return guestproto.Layer{Kind: "env", Name: name, Hash: hash}
}

func applied(name, hash string) guestproto.ManifestLayer {
	return guestproto.ManifestLayer{Kind: "env", Name: name, Hash: hash, Complete: true}
}

func machine(t testing.TB, layers ...guestproto.Layer) providers.Node {
	n := node(t, "windows.pas", "")
	n.Layers = layers
	return n
}

func setUp(t testing.TB, layers ...guestproto.ManifestLayer) providers.Observed {
	o := seen(t, "windows.pas", "")
	o.Manifest = &guestproto.Manifest{Layers: layers}
	return o
}

func TestMake(t *testing.T) {
	stopped := seen(t, "container.db", "1")
	stopped.State, stopped.Detail = providers.Stopped, "exited with 137"
	failed := seen(t, "job.migrate", "1")
	failed.State, failed.Detail = providers.Failed, "exited with code 3"
	touched := seen(t, "container.db", "1")
	touched.ByHand = []guestproto.Difference{{Name: "name", Want: "e-i-db", Is: "mine"}, {Name: "memory", Want: "64", Is: "128"}}
	stoppedToo := touched
	stoppedToo.State, stoppedToo.Detail = providers.Stopped, "exited with 137"
	halfMade := seen(t, "container.db", "1")
	halfMade.State, halfMade.Detail = providers.Failed, providers.Incomplete
	drifted := setUp(t, applied("A", "1"), applied("B", "2"), applied("C", "3"))
	drifted.Drifted = map[string]string{"env.B": "B is x", "env.C": "C is y"}
	drifted.Differences = map[string][]guestproto.Difference{"env.B": {{Name: "value", Want: "2", Is: "x"}}, "env.C": {{Name: "value", Want: "3"}}}
	away := setUp(t)
	away.State, away.Detail = providers.Unreachable, "no route"
	cut := setUp(t, applied("A", "1"), guestproto.ManifestLayer{Kind: "env", Name: "B", Hash: "2"})

	tests := []struct {
		name    string
		desired []providers.Node
		is      []providers.Observed
		want    string
	}{
		{"nothing there", []providers.Node{node(t, "container.web", "1", "container.db"), node(t, "container.db", "1")}, nil,
			"create container.db: not there yet\ncreate container.web: not there yet\n"},
		{"nothing to do", []providers.Node{node(t, "container.db", "1")}, []providers.Observed{seen(t, "container.db", "1")},
			"none container.db\n"},
		{"replacing leaves dependents alone",
			[]providers.Node{node(t, "container.web", "1", "container.db"), node(t, "container.db", "2")},
			[]providers.Observed{seen(t, "container.web", "1"), seen(t, "container.db", "1")},
			"replace container.db: image changed\n  image: \"1\" -> \"2\"\nnone container.web\n"},
		{"stopped", []providers.Node{node(t, "container.db", "1")}, []providers.Observed{stopped},
			"update container.db: exited with 137\n"},
		{"a job that is done and one that failed",
			[]providers.Node{node(t, "job.seed", "1"), node(t, "job.migrate", "1")},
			[]providers.Observed{seen(t, "job.seed", "1"), failed},
			"replace job.migrate: exited with code 3\nnone job.seed\n"},
		{"cut short", []providers.Node{node(t, "container.db", "1")}, []providers.Observed{halfMade},
			"replace container.db: its creation was cut short\n"},
		{"parts changed, added and removed", []providers.Node{parts(t, "2", "env.A", "x", "env.B", "new", "image", "i")},
			[]providers.Observed{{Addr: at(t, "container.db"), Identity: "1", State: providers.Ready,
				Parts: map[string]string{"env.A": "w", "env.C": "gone", "image": "i"}}},
			"replace container.db: env.A changed; env.B added; env.C removed\n" +
				"  env.A: \"w\" -> \"x\"\n  env.B: \"\" -> \"new\"\n  env.C: \"gone\" -> \"\"\n"},
		{"orphans go first, dependents before what they need",
			[]providers.Node{node(t, "container.new", "1")},
			[]providers.Observed{seen(t, "container.a", "1"), seen(t, "container.b", "1", "container.a")},
			"delete container.b: no longer in the spec\ndelete container.a: no longer in the spec\ncreate container.new: not there yet\n"},
		{"a fresh machine", []providers.Node{machine(t, layer("A", "1"), layer("B", "2"))}, nil,
			"create windows.pas: not set up yet\n  apply env.A: new\n  apply env.B: new\n"},
		{"a machine without layers", []providers.Node{machine(t)}, nil, "none windows.pas\n"},
		{"a layer in the middle changed", []providers.Node{machine(t, layer("A", "1"), layer("B", "2b"), layer("C", "3b"))},
			[]providers.Observed{setUp(t, applied("A", "1"), applied("B", "2"), applied("C", "3"))},
			"update windows.pas: env.B: changed\n  keep env.A\n  undo env.C\n  undo env.B\n  apply env.B: changed\n  apply env.C: a layer under it changed\n"},
		{"a layer on top was taken out", []providers.Node{machine(t, layer("A", "1"))},
			[]providers.Observed{setUp(t, applied("A", "1"), applied("B", "2"))},
			"update windows.pas: env.B is no longer in the spec\n  keep env.A\n  undo env.B\n"},
		{"a container changed by hand", []providers.Node{node(t, "container.db", "1")}, []providers.Observed{touched},
			"update container.db: changed by hand: name, memory\n  memory: \"128\" -> \"64\"\n  name: \"mine\" -> \"e-i-db\"\n"},
		{"one changed and stopped by hand", []providers.Node{node(t, "container.db", "1")}, []providers.Observed{stoppedToo},
			"update container.db: exited with 137; changed by hand: name, memory\n  memory: \"128\" -> \"64\"\n  name: \"mine\" -> \"e-i-db\"\n"},
		{"one changed by hand and in the spec", []providers.Node{node(t, "container.db", "2")}, []providers.Observed{touched},
			"replace container.db: image changed\n  image: \"1\" -> \"2\"\n"},
		{"a layer changed by hand", []providers.Node{machine(t, layer("A", "1"), layer("B", "2"), layer("C", "3"))}, []providers.Observed{drifted},
			"update windows.pas: env.B: changed by hand: B is x\n  keep env.A\n  undo env.C\n  undo env.B\n  apply env.B: changed by hand: B is x\n    value: \"x\" -> \"2\"\n" +
				"  apply env.C: a layer under it changed; changed by hand: C is y\n    value: \"\" -> \"3\"\n"},
		{"a layer that was begun and not ended", []providers.Node{machine(t, layer("A", "1"), layer("B", "2"))}, []providers.Observed{cut},
			"update windows.pas: env.B: its last application was cut short\n  keep env.A\n  undo env.B\n  apply env.B: its last application was cut short\n"},
		{"a machine out of reach", []providers.Node{machine(t, layer("A", "1"))}, []providers.Observed{away},
			"update windows.pas: out of reach now (no route); its layers are compared once it is back\n"},
		{"a machine whose sandbox is replaced",
			[]providers.Node{node(t, "sandbox.pas", "2"), func() providers.Node {
				n := machine(t, layer("A", "1"))
				n.After = []addr.Addr{at(t, "sandbox.pas")}
				return n
			}()},
			[]providers.Observed{seen(t, "sandbox.pas", "1"), setUp(t, applied("A", "1"))},
			"replace sandbox.pas: image changed\n  image: \"1\" -> \"2\"\ncreate windows.pas: the machine is new\n  apply env.A: new\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := plan.Make(tt.desired, tt.is)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, p.String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMakeRefusesWhatItCannotOrder(t *testing.T) {
	for name, nodes := range map[string][]providers.Node{
		"missing": {node(t, "container.web", "1", "container.db")},
		"cycle":   {node(t, "container.a", "1", "container.b"), node(t, "container.b", "1", "container.a")},
		"twice":   {node(t, "container.a", "1"), node(t, "container.a", "2")},
	} {
		if _, err := plan.Make(nodes, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDestroy(t *testing.T) {
	machine := setUp(t, applied("A", "1"), applied("B", "2"))
	machine.After = []addr.Addr{at(t, "gateway.pas")}
	p := plan.Destroy([]providers.Observed{
		seen(t, "network.default", "n"), seen(t, "gateway.pas", "g", "network.default"), machine,
		seen(t, "container.web", "1", "network.default", "windows.pas"),
	})
	want := `delete container.web: the environment goes
delete windows.pas: the environment goes
  undo env.B: the environment goes
  undo env.A: the environment goes
delete gateway.pas: the environment goes
delete network.default: the environment goes
`
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// Labels are of the time when each was made: a was made after b, and b, made anew since, after a.
func TestDestroyOfWhatClaimsToComeAfterEachOther(t *testing.T) {
	p := plan.Destroy([]providers.Observed{seen(t, "container.a", "1", "container.b"), seen(t, "container.b", "1", "container.a")})
	done := map[addr.Addr]bool{}
	for _, op := range p.Operations {
		for _, a := range op.After {
			if !done[a] {
				t.Errorf("%s waits for %s, which comes later", op.Addr, a)
			}
		}
		done[op.Addr] = true
	}
	if len(done) != 2 {
		t.Errorf("the plan is\n%s", p)
	}
}

func TestMakeAnew(t *testing.T) {
	again := node(t, "container.app", "1")
	again.Anew = "a rebuild was asked for"
	for _, test := range []struct {
		is    []providers.Observed
		cause string
	}{
		{nil, "not there yet"},
		{[]providers.Observed{seen(t, "container.app", "1")}, "a rebuild was asked for"},
		{[]providers.Observed{seen(t, "container.app", "0")}, "image changed"},
	} {
		p, err := plan.Make([]providers.Node{again, node(t, "container.db", "1")}, append(test.is, seen(t, "container.db", "1")))
		if err != nil {
			t.Fatal(err)
		}
		if op := p.Operations[0]; p.Changes() != 1 || op.Cause != test.cause || op.Node.Anew == "" {
			t.Errorf("want %q in:\n%s", test.cause, p)
		}
	}
}
