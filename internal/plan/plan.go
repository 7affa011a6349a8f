// Package plan compares what should be with what is and says what to do about the
// difference, in an order and with the cause of each step in words. It is pure: it
// asks nobody and changes nothing, so that a plan can be shown, compared and trusted.
package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// Plan is what an `up` or a `down` will do.
type Plan struct {
	// Operations has one entry a resource, each after all that it waits for.
	Operations []Operation
}

// Operation is what will be done to one resource.
type Operation struct {
	Addr   addr.Addr
	Action providers.Action
	// Cause says why in words; empty for None.
	Cause string
	// Values are the parts of a resource that is to be replaced, or that was changed by hand, that differ, by name.
	Values []Value
	// Layers are the steps on a Windows machine's stack, in the order they are taken.
	Layers []Layer
	// After are the operations of this plan that must be done first.
	After []addr.Addr

	// Node is the resource as desired, with stand-ins; zero for Delete.
	Node providers.Node
	// Observed is the resource as it is; nil where it is not there.
	Observed *providers.Observed
	// Keep is how many of Node.Layers stay, or providers.KeepUnknown.
	Keep int
}

// Value is one part of a resource that differs. Old and New are what a person may see, which for a long or
// secret value is a digest; "" says that there is none.
type Value struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// LayerAction is what will be done to one layer.
type LayerAction string

// The actions on a layer.
const (
	Keep  LayerAction = "keep"
	Undo  LayerAction = "undo"
	Apply LayerAction = "apply"
)

// Layer is one step on a stack. A layer that changed stands twice: undone, then applied.
type Layer struct {
	Name   string
	Action LayerAction
	Cause  string
	// Values are the parts of a layer that is applied again that differ, by name.
	Values []Value
}

// Make gives the plan that turns observed into desired. An error is a mistake of ours
// (a desired node that waits for one that is not there, or for itself); a spec cannot cause one.
func Make(desired []providers.Node, observed []providers.Observed) (*Plan, error) {
	is := make(map[addr.Addr]*providers.Observed, len(observed))
	for i := range observed {
		is[observed[i].Addr] = &observed[i]
	}
	sorted, err := sortNodes(desired)
	if err != nil {
		return nil, err
	}
	wanted := make(map[addr.Addr]bool, len(sorted))
	for _, n := range sorted {
		wanted[n.Addr] = true
	}
	p := &Plan{Operations: deletions(observed, func(a addr.Addr) bool { return wanted[a] }, "no longer in the spec")}
	removed := make([]addr.Addr, len(p.Operations))
	for i, op := range p.Operations {
		removed[i] = op.Addr
	}
	actions := make(map[addr.Addr]providers.Action, len(sorted))
	p.Operations = slices.Grow(p.Operations, len(sorted))
	for _, n := range sorted {
		op := operation(n, is[n.Addr], actions)
		actions[n.Addr] = op.Action
		op.After = n.After
		if op.Action != providers.None {
			// What leaves goes first: it may hold the port or the name that comes.
			op.After = append(slices.Clone(removed), op.After...)
		}
		p.Operations = append(p.Operations, op)
	}
	return p, nil
}

// Destroy gives the plan that removes all that was observed, dependents first.
func Destroy(observed []providers.Observed) *Plan {
	return &Plan{Operations: deletions(observed, func(addr.Addr) bool { return false }, "the environment goes")}
}

func operation(n providers.Node, is *providers.Observed, before map[addr.Addr]providers.Action) Operation {
	op := Operation{Addr: n.Addr, Node: n, Observed: is, Action: providers.None}
	if n.Addr.Kind == addr.Windows {
		stack(&op, before[n.Addr.Sibling(addr.Sandbox)])
		return op
	}
	switch {
	case is == nil || is.State == providers.Missing:
		op.Action, op.Cause = providers.Create, "not there yet"
		op.Observed = nil
	case is.Identity != n.Identity:
		op.Action, op.Values = providers.Replace, difference(is.Parts, n.Parts)
		op.Cause = inWords(op.Values)
	case n.Anew != "":
		op.Action, op.Cause = providers.Replace, n.Anew
	case is.State == providers.Failed && is.Detail == providers.Incomplete:
		op.Action, op.Cause = providers.Replace, providers.Incomplete
	case n.Addr.Kind == addr.Job && (is.State == providers.Stopped || is.State == providers.Failed):
		// It runs again from the start, in nothing that its last run left behind.
		op.Action, op.Cause = providers.Replace, cmp.Or(is.Detail, "stopped")
	case is.State == providers.Stopped || is.State == providers.Failed:
		op.Action, op.Cause = providers.Update, cmp.Or(is.Detail, "stopped")
	case is.Mutable != n.Mutable:
		op.Action, op.Cause = providers.Update, "what it carries changed"
	}
	mend(&op)
	return op
}

// mend adds what was changed by hand to what is done to a resource that stays.
func mend(op *Operation) {
	if op.Observed == nil || len(op.Observed.ByHand) == 0 || op.Action != providers.None && op.Action != providers.Update {
		return
	}
	var said []string
	for _, d := range op.Observed.ByHand {
		op.Values = append(op.Values, Value{d.Name, d.Is, d.Want})
		said = append(said, d.Name)
	}
	sortValues(op.Values)
	cause := byHand + strings.Join(said, ", ")
	if op.Action == providers.Update {
		cause = op.Cause + "; " + cause
	}
	op.Action, op.Cause = providers.Update, cause
}

// difference gives the parts that are not the same, by name.
func difference(is, desired map[string]string) []Value {
	var values []Value
	for name, value := range desired {
		if is[name] != value {
			values = append(values, Value{name, is[name], value})
		}
	}
	for name, old := range is {
		if _, ok := desired[name]; !ok {
			values = append(values, Value{name, old, ""})
		}
	}
	sortValues(values)
	return values
}

func sortValues(values []Value) {
	slices.SortStableFunc(values, func(x, y Value) int { return cmp.Compare(x.Name, y.Name) })
}

// inWords names what changed, what was added and what removed.
func inWords(values []Value) string {
	verbs := []string{"changed", "added", "removed"}
	names := map[string][]string{}
	for _, v := range values {
		verb := "changed"
		switch {
		case v.Old == "":
			verb = "added"
		case v.New == "":
			verb = "removed"
		}
		names[verb] = append(names[verb], v.Name)
	}
	var said []string
	for _, verb := range verbs {
		if len(names[verb]) > 0 {
			said = append(said, strings.Join(names[verb], ", ")+" "+verb)
		}
	}
	if len(said) == 0 {
		return "made by another version of envctl"
	}
	return strings.Join(said, "; ")
}

// deletions removes what nobody wants, each after all that depends on it.
func deletions(observed []providers.Observed, wanted func(addr.Addr) bool, cause string) []Operation {
	var gone []providers.Observed
	leaving := map[addr.Addr]bool{}
	for _, o := range observed {
		if !wanted(o.Addr) {
			gone = append(gone, o)
			leaving[o.Addr] = true
		}
	}
	dependents := map[addr.Addr][]addr.Addr{}
	for _, o := range gone {
		for _, a := range o.After {
			if leaving[a] {
				dependents[a] = append(dependents[a], o.Addr)
			}
		}
	}
	order := topological(gone, func(o providers.Observed) addr.Addr { return o.Addr },
		func(o providers.Observed) []addr.Addr { return dependents[o.Addr] })
	ops := make([]Operation, 0, len(order))
	before := map[addr.Addr]bool{}
	for _, o := range order {
		// Labels tell of the time when each was made, so two may well claim to come after each other.
		after := slices.DeleteFunc(dependents[o.Addr], func(a addr.Addr) bool { return !before[a] })
		before[o.Addr] = true
		op := Operation{Addr: o.Addr, Action: providers.Delete, Cause: cause, Observed: &o, After: after}
		if o.Manifest != nil {
			op.Layers = undo(o.Manifest.Layers, cause)
		}
		ops = append(ops, op)
	}
	return ops
}

// Changes counts the operations that change something.
func (p *Plan) Changes() int {
	n := 0
	for _, op := range p.Operations {
		if op.Action != providers.None {
			n++
		}
	}
	return n
}

// String is the plan as text: a line an operation, its values and layers indented below. The same plan gives the
// same text; tests compare it.
func (p *Plan) String() string {
	var b strings.Builder
	for _, op := range p.Operations {
		fmt.Fprintf(&b, "%s %s", op.Action, op.Addr)
		if op.Cause != "" {
			fmt.Fprintf(&b, ": %s", op.Cause)
		}
		b.WriteByte('\n')
		for _, v := range op.Values {
			fmt.Fprintf(&b, "  %s: %q -> %q\n", v.Name, v.Old, v.New)
		}
		for _, l := range op.Layers {
			fmt.Fprintf(&b, "  %s %s", l.Action, l.Name)
			if l.Cause != "" {
				fmt.Fprintf(&b, ": %s", l.Cause)
			}
			b.WriteByte('\n')
			for _, v := range l.Values {
				fmt.Fprintf(&b, "    %s: %q -> %q\n", v.Name, v.Old, v.New)
			}
		}
	}
	return b.String()
}
