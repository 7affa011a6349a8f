package envspec

import (
	"cmp"
	"maps"
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
	received := map[addr.Addr]map[addr.Endpoint]bool{}
	after := map[addr.Addr][]addr.Addr{}
	for _, in := range s.instances {
		r := in.decl.reader(e.view(in.decl.scope, in.addr), in.each)
		if in.addr.Kind == addr.Windows {
			env.Machines = append(env.Machines, in.machineBody(r))
		} else {
			env.Containers = append(env.Containers, in.container(r))
		}
		depends := in.withoutIdle(r, in.dependsOn(r))
		after[in.addr] = waitsFor(in.addr, r.in.wires, depends)
		received[in.addr] = r.in.wires
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
	received[addr.Host] = map[addr.Endpoint]bool{}
	for _, d := range s.root.all {
		if d.kind.Name == "output" {
			if o := d.readOutput(host, received[addr.Host]); o != nil {
				env.Outputs = append(env.Outputs, o)
			}
		}
	}
	for _, name := range names(s.root.templates) {
		host.settleOutputs(s.root.templates[name])
	}
	env.Wires = wires(received)
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
func waitsFor(self addr.Addr, received map[addr.Endpoint]bool, depends []addr.Addr) []addr.Addr {
	set := map[addr.Addr]bool{}
	for e, ordered := range received {
		if ordered {
			set[e.Addr] = true
		}
	}
	for _, d := range depends {
		set[d] = true
	}
	delete(set, self)
	return sortAddrs(set)
}

func sortAddrs(set map[addr.Addr]bool) []addr.Addr {
	if len(set) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(set), compareAddr)
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
func wires(received map[addr.Addr]map[addr.Endpoint]bool) []Wire {
	n := 0
	for _, endpoints := range received {
		n += len(endpoints)
	}
	out := make([]Wire, 0, n)
	for from, endpoints := range received {
		for to := range endpoints {
			if to.Addr != from {
				out = append(out, Wire{From: from, To: to})
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
func (d *decl) readOutput(v *view, received map[addr.Endpoint]bool) *Output {
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
	for to := range r.in.wires {
		received[to] = true
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
