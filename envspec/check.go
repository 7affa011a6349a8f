package envspec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/addr"
)

// check finds what is wrong with a spec whose files have been read: names, values, shape, and,
// with stand-ins for what only the world can give, every body. Mistakes in its structure are known before.
func (s *Spec) check(structure hcl.Diagnostics) hcl.Diagnostics {
	diags := s.root.resolve()
	e := s.evaluation(nil, nil)
	s.static = e
	s.readVariables(e)
	s.root.readTemplateVariables(e)
	s.root.settleLocals(e)
	s.readEnvironment(e)
	s.root.shape(e)
	diags = append(diags, e.diags...)
	diags = append(diags, s.checkKeys()...)
	diags = append(diags, s.checkNames()...)
	diags = append(diags, s.root.checkVolumes(map[string]*decl{})...)
	diags = append(diags, s.checkPins()...)
	diags = append(diags, s.checkProfiles()...)
	trial := s.evaluation(standIn{s}, standIn{s})
	trial.environment()
	diags = append(diags, trial.diags...)
	if !structure.HasErrors() {
		diags = trial.unexplained(diags)
	}
	diags = append(diags, s.unused()...)
	if !diags.HasErrors() {
		diags = append(diags, s.root.openGates()...)
	}
	return slices.DeleteFunc(diags, s.saidByKey)
}

// resolve checks the names in every body of a scope, and of the templates in it.
func (sc *scope) resolve() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range names(sc.locals) {
		l := sc.locals[name]
		r := resolver{scope: sc, uses: newUses()}
		r.attr(l.attr, &attribute{}, false)
		l.uses = r.uses
		diags = append(diags, r.diags...)
	}
	diags = append(diags, sc.orderLocals()...)
	for _, t := range slices.SortedFunc(maps.Values(sc.templates), bySource) {
		diags = append(diags, sc.resolveInputs(t)...)
	}
	decls := slices.Clone(sc.all)
	for _, d := range decls {
		if d.kind.Name == "template" {
			continue
		}
		r := resolver{scope: sc, uses: newUses(), each: d.eachAttr != nil}
		if d.kind.Name == "variable" {
			diags = append(diags, sc.resolveVariable(d)...)
			continue
		}
		r.body(d.block.Body, d.kind, false)
		d.uses = r.uses
		diags = append(diags, r.diags...)
	}
	for _, t := range slices.SortedFunc(maps.Values(sc.templates), bySource) {
		if t.inside != nil {
			diags = append(diags, t.inside.resolve()...)
		}
	}
	return diags
}

// resolveVariable: a default refers to nothing, a rule to its own variable.
func (sc *scope) resolveVariable(d *decl) hcl.Diagnostics {
	used := sc.variables[d.name].used
	var diags hcl.Diagnostics
	d.uses = newUses()
	for _, a := range sortedAttrs(d.block.Body.Attributes) {
		as := d.kind.attr(a.Name)
		if as == nil || as.Literal {
			continue
		}
		r := resolver{scope: sc, uses: d.uses, nothing: "A variable's block is read before anything else, so it can refer to nothing. Write the value out, or make it a local."}
		r.attr(a, as, true)
		diags = append(diags, r.diags...)
	}
	for _, b := range d.block.Body.Blocks {
		if kind := d.kind.block(b.Type); kind != nil {
			r := resolver{scope: sc, uses: newUses()}
			r.body(b.Body, kind, false)
			for _, u := range r.uses.list {
				if u.root != "var" || u.name != d.name {
					for _, a := range b.Body.Attributes {
						a.Expr = unresolved{a.Expr}
					}
					r.report(CodeNotStatic, u.at, "Not this reference", "A rule can refer to its own variable, var.%s, and to nothing else.", d.name)
				}
			}
			diags = append(diags, r.diags...)
		}
	}
	sc.variables[d.name].used = used
	return diags
}

// orderLocals finds which locals hold addresses, and refuses those that go in a circle.
func (sc *scope) orderLocals() hcl.Diagnostics {
	var diags hcl.Diagnostics
	var path []*local
	var walk func(l *local)
	walk = func(l *local) {
		switch l.state {
		case visited:
			return
		case visiting:
			diags = append(diags, localCycle(path[slices.Index(path, l):]))
			return
		}
		l.state = visiting
		path = append(path, l)
		for _, u := range l.uses.list {
			switch {
			case u.root == "local":
				walk(sc.locals[u.name])
				l.addressed = l.addressed || sc.locals[u.name].addressed
			case u.root == "var":
				l.addressed = l.addressed || sc.variables[u.name].addressed
			case u.root == "credential" || u.root == "template" || isResource(u.root):
				l.addressed = true
			}
		}
		path = path[:len(path)-1]
		l.state = visited
	}
	for _, l := range slices.SortedFunc(maps.Values(sc.locals), func(a, b *local) int { return strings.Compare(a.attr.Name, b.attr.Name) }) {
		walk(l)
	}
	return diags
}

func localCycle(around []*local) *hcl.Diagnostic {
	var b strings.Builder
	for _, l := range around {
		b.WriteString("  local." + l.attr.Name + "  (" + place(l.attr.NameRange) + ")\n")
		l.scope.spec.broken[l.attr] = true
	}
	if len(around) == 1 {
		return fault(CodeCycle, around[0].attr.Range(), "A local that needs itself", "local.%s refers to itself. Take the reference out.", around[0].attr.Name)
	}
	return fault(CodeCycle, around[0].attr.Range(), "Locals that need each other", "Each of these needs the next, and the last needs the first:\n%sTake one of the references out.", b.String())
}

// settleLocals evaluates the locals that have no vantage, so that a mistake in one that nobody
// reads shows too, and so that they are never evaluated again.
func (sc *scope) settleLocals(e *evaluation) {
	v := e.view(sc, addr.Host)
	for _, name := range names(sc.locals) {
		v.value("local", name)
	}
	for _, name := range names(sc.templates) {
		if t := sc.templates[name]; t.inside != nil {
			for _, x := range names(t.inside.variables) {
				e.view(t.inside, addr.Host).value("var", x)
			}
			t.inside.settleLocals(e)
		}
	}
}

// readEnvironment reads the environment block.
func (s *Spec) readEnvironment(e *evaluation) {
	d := s.root.env
	if d == nil {
		return
	}
	s.Name = d.name
	r := d.reader(e.view(s.root, addr.Host), nil)
	s.Description = r.str("description")
	s.root.ownVersion(r)
	s.checkTool(r)
	e.diags = append(e.diags, r.in.diags...)
}

// checkKeys finds for_each keys that are written out and do not exist.
func (s *Spec) checkKeys() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for i, k := range s.keyUses {
		if k.decl.instances == nil {
			continue // its for_each is broken
		}
		keys := make([]string, len(k.decl.instances))
		for i, in := range k.decl.instances {
			keys[i] = in.key
		}
		if !slices.Contains(keys, k.key) {
			s.keyUses[i].missing = true
			diags = append(diags, fault(CodeUnknownReference, k.at, "Unknown key", "%s.%s has no key %q.%s", k.decl.kind.Name, k.decl.name, k.key, choices(k.key, keys)))
		}
	}
	return diags
}

// saidByKey reports whether HCL says of an index what checkKeys says better.
func (s *Spec) saidByKey(d *hcl.Diagnostic) bool {
	return d.Extra == nil && d.Subject != nil && slices.ContainsFunc(s.keyUses, func(k keyUse) bool { return k.missing && k.at.Overlaps(*d.Subject) })
}

// checkNames refuses resources that would answer to the same name on the network.
func (s *Spec) checkNames() hcl.Diagnostics {
	var diags hcl.Diagnostics
	taken := map[string]*instance{}
	for _, in := range s.instances {
		name := in.addr.DNS()
		if name == "" {
			diags = append(diags, fault(CodeName, in.decl.block.DefRange(), "Not a name on a network", "Nothing of %s can stand in a DNS name. Use letters and digits.", in.addr))
			continue
		}
		if before := taken[name]; before != nil {
			diags = append(diags, fault(CodeDuplicate, in.decl.block.DefRange(), "Two resources with one name", "Others would reach both %s and %s, at %s, under the name %q. Give one of them another name.", in.addr, before.addr, place(before.decl.block.TypeRange), name))
			continue
		}
		taken[name] = in
	}
	ours := []addr.Addr{{Kind: addr.Forward, Name: "default"}}
	for _, in := range s.instances {
		if in.machine != nil {
			ours = append(ours, in.addr.Sibling(addr.Sandbox), in.addr.Sibling(addr.Relay))
		}
	}
	for _, a := range ours {
		if in := taken[a.DNS()]; in != nil {
			diags = append(diags, fault(CodeDuplicate, in.decl.block.DefRange(), "A name of envctl's own", "The name %q is that of %s, which envctl itself may run. Give %s another name.", a.DNS(), a, in.addr))
		}
	}
	return diags
}

// unused warns of what nothing reads.
func (s *Spec) unused() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range names(s.root.variables) {
		if v := s.root.variables[name]; !v.used {
			diags = append(diags, caution(CodeUnused, v.decl.block.DefRange(), "Unused variable", "Nothing reads var.%s. Use it or remove it.", name))
		}
	}
	for _, name := range names(s.root.credentials) {
		if d := s.root.credentials[name]; !d.used {
			diags = append(diags, caution(CodeUnused, d.block.DefRange(), "Unused credential", "Nothing reads credential.%s. Use it or remove it.", name))
		}
	}
	for _, name := range names(s.root.volumes) {
		if d := s.root.volumes[name]; !d.used {
			diags = append(diags, caution(CodeUnused, d.block.DefRange(), "Unused volume", "No container mounts volume.%s. Mount it with source = volume.%s, or remove it.", name, name))
		}
	}
	return diags
}
