package envspec

import (
	"cmp"
	"slices"

	"github.com/envctl/envctl/internal/addr"
	"github.com/hashicorp/hcl/v2"
)

// Evaluate evaluates every body at its own vantage. The same spec, addresses and credentials
// always give the same Environment, in the same order. It is an error to evaluate a spec that Load found
// wrong.
func (s *Spec) Evaluate(a Addresses, c Credentials) (*Environment, hcl.Diagnostics) {
	if s.failed || s.root == nil {
		return nil, hcl.Diagnostics{placeless(CodeValue, "The spec has mistakes", "Load reported what they are; a spec with mistakes is not evaluated.")}
	}
	e := s.evaluation(a, c)
	env := e.environment()
	return env, tidy(e.unexplained(e.diags))
}

// unexplained adds an error where a body lacks a value and no mistake says why: better to stop than to
// go on without it.
func (e *evaluation) unexplained(diags hcl.Diagnostics) hcl.Diagnostics {
	if e.unknown == nil || diags.HasErrors() {
		return diags
	}
	return append(diags, fault(CodeExpression, *e.unknown, "A value cannot be known", "What it is made of has no value, and envctl should have said why. Please report this, with the expression."))
}

// environment evaluates everything.
func (e *evaluation) environment() *Environment {
	s := e.spec
	env := &Environment{Name: s.Name, Description: s.Description}
	wired := make(map[addr.Addr]received, len(s.instances)+1)
	after := make(map[addr.Addr][]addr.Addr, len(s.instances))
	for _, in := range s.instances {
		r := in.decl.reader(e.view(in.decl.scope, in.addr), in.each)
		if in.addr.Kind == addr.Windows {
			env.Machines = append(env.Machines, in.machineBody(r))
		} else {
			env.Containers = append(env.Containers, in.container(r))
		}
		depends := in.withoutIdle(r, in.dependsOn(r))
		after[in.addr] = waitsFor(in.addr, r.in.wires, depends)
		wired[in.addr] = r.in.wires
		if r.in.unknown != nil {
			e.unknown = r.in.unknown
		}
		e.diags = slices.Concat(e.diags, r.in.diags, in.udpElsewhere(s.Elsewhere))
		delete(e.views, viewKey{in.decl.scope, in.addr}) // nobody else stands there
	}
	if _, trial := e.addresses.(standIn); trial {
		e.tryIdle()
	}
	for _, c := range env.Containers {
		c.After = after[c.Addr]
	}
	for _, m := range env.Machines {
		m.After = after[m.Addr]
	}
	host := e.view(s.root, addr.Host)
	for _, name := range names(s.root.locals) {
		host.value("local", name) // so that a mistake in a local that nobody reads shows
	}
	var read received
	for _, d := range s.root.all {
		if d.kind.Name == "output" {
			if o := d.readOutput(host, &read); o != nil {
				env.Outputs = append(env.Outputs, o)
			}
		}
	}
	for _, name := range names(s.root.templates) {
		host.settleOutputs(s.root.templates[name])
	}
	wired[addr.Host] = read
	env.Wires = wires(wired)
	e.diags = append(e.diags, s.cycles(after)...)
	return env
}

// tryIdle finds the mistakes in what is not up.
func (e *evaluation) tryIdle() {
	for _, in := range e.spec.idle {
		r := in.decl.reader(e.view(in.decl.scope, in.addr), in.each)
		if in.addr.Kind == addr.Windows {
			in.machineBody(r)
		} else {
			in.container(r)
		}
		in.dependsOn(r)
		e.diags = append(e.diags, r.in.diags...)
		delete(e.views, viewKey{in.decl.scope, in.addr})
	}
}

// waitsFor gives what a resource waits for: never itself.
func waitsFor(self addr.Addr, wires received, depends []addr.Addr) []addr.Addr {
	n := len(depends)
	for _, w := range wires.list {
		if w.waits {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make([]addr.Addr, 0, n)
	for _, w := range wires.list {
		if w.waits && w.to.Addr != self {
			out = append(out, w.to.Addr)
		}
	}
	for _, d := range depends {
		if d != self {
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortFunc(out, compareAddr)
	return slices.Compact(out)
}

func compareEndpoint(a, b addr.Endpoint) int {
	if c := compareAddr(a.Addr, b.Addr); c != 0 {
		return c
	}
	return cmp.Compare(a.Port, b.Port)
}

func compareAddr(a, b addr.Addr) int {
	return cmp.Or(cmp.Compare(a.Template, b.Template), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
}

// wires lists what bodies received, without those from a resource to itself: they need no relay.
func wires(by map[addr.Addr]received) []Wire {
	n := 0
	for _, r := range by {
		n += len(r.list)
	}
	out := make([]Wire, 0, n)
	for from, r := range by {
		for _, w := range r.list {
			if w.to.Addr != from {
				out = append(out, Wire{From: from, To: w.to})
			}
		}
	}
	slices.SortFunc(out, func(a, b Wire) int {
		if c := compareAddr(a.From, b.From); c != 0 {
			return c
		}
		return compareEndpoint(a.To, b.To)
	})
	return out
}

// readOutput evaluates an output at the host; nil where it reads what is not up.
func (d *decl) readOutput(v *view, read *received) *Output {
	r := d.reader(v, nil)
	defer func() { v.eval.diags = append(v.eval.diags, r.in.diags...) }()
	o := &Output{Name: d.name, Description: r.str("description")}
	hide := r.boolean("sensitive")
	val, ok := r.raw("value")
	if !ok {
		return o
	}
	val, hush := r.collect(val, r.rangeOf("value"))
	o.Value.Sensitive = hide || hush
	if d.readsIdle(r) {
		return nil
	}
	for _, w := range r.in.wires.list {
		read.add(w.to, w.waits)
	}
	o.After = waitsFor(addr.Host, r.in.wires, nil)
	if !val.IsWhollyKnown() {
		return o
	}
	var err error
	if o.Value.Value, o.JSON, err = plainText(val); err != nil {
		r.report(fault(CodeType, r.rangeOf("value"), "Not a value to show", "%s: %v.", r.title(), err))
	}
	return o
}
