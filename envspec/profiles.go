package envspec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/addr"
)

// AllProfiles is the profile that stands for every one there is.
const AllProfiles = "*"

func profiles() attribute {
	return attribute{Name: "profiles", Type: stringsValue, Static: true,
		Doc: "Makes it be up only with `--profile NAME`, or `ENVCTL_PROFILES`, of one of these names. An output that reads it is there only then."}
}

// readProfiles reads when the resource is up.
func (in *instance) readProfiles(r *reader) {
	in.profiles = r.strings("profiles")
	for _, name := range in.profiles {
		if !identifier.MatchString(name) {
			r.report(fault(CodeName, r.rangeOf("profiles"), "Not a name", "%q cannot be a profile. A name starts with a letter, and letters, digits, \"_\" and \"-\" follow.", name))
		}
	}
	asked := in.decl.scope.spec.options.Profiles
	in.idle = len(in.profiles) > 0 && !slices.Contains(asked, AllProfiles) &&
		!slices.ContainsFunc(in.profiles, func(p string) bool { return slices.Contains(asked, p) })
}

// Idle are the resources that are not up because none of their profiles was asked for, in the order of
// the source and of their keys.
func (s *Spec) Idle() []ResourceDecl { return resourceDecls(s.idle) }

// checkProfiles warns of a profile that was asked for and that nothing has.
func (s *Spec) checkProfiles() hcl.Diagnostics {
	known := map[string]bool{AllProfiles: true}
	for _, in := range slices.Concat(s.instances, s.idle) {
		for _, p := range in.profiles {
			known[p] = true
		}
	}
	var diags hcl.Diagnostics
	for _, p := range s.options.Profiles {
		if !known[p] {
			there := slices.DeleteFunc(names(known), func(k string) bool { return k == AllProfiles })
			d := placeless(CodeUnused, "Unknown profile", "Nothing in the spec has the profile %q.%s", p, choices(p, there))
			d.Severity = hcl.DiagWarning
			diags = append(diags, d)
		}
	}
	return diags
}

// withoutIdle takes out of what an active resource waits for and is wired to what is not up, and reports it.
func (in *instance) withoutIdle(r *reader, depends []addr.Addr) []addr.Addr {
	s := in.decl.scope.spec
	found := s.idleUses(in.decl.scope, in.decl.uses)
	r.in.wires.drop(func(to addr.Endpoint) bool {
		other := s.byAddr[to.Addr]
		if other == nil || !other.idle {
			return false
		}
		found[other.decl] = other
		return true
	})
	depends = slices.DeleteFunc(slices.Clone(depends), func(a addr.Addr) bool {
		other := s.byAddr[a]
		if other != nil && other.idle {
			found[other.decl] = other
		}
		return other != nil && other.idle
	})
	for _, other := range slices.SortedFunc(maps.Values(found), func(a, b *instance) int { return compareAddr(a.addr, b.addr) }) {
		at := in.decl.block.DefRange()
		if where, _, ok := in.reference(other.addr); ok {
			at = where
		}
		r.report(fault(CodeUnknownReference, at, "Not up without its profile",
			"%s needs %s, which is up only with %s. Ask for that too, give %s the same profiles, or take the reference out.", in.addr, other.addr, other.flags(), in.addr))
	}
	return depends
}

// idleUses finds what a body names, through locals too, of which nothing is up.
func (s *Spec) idleUses(sc *scope, u *uses) map[*decl]*instance {
	found := map[*decl]*instance{}
	if len(s.idle) == 0 {
		return found
	}
	seen := map[*uses]bool{}
	var search func(u *uses)
	search = func(u *uses) {
		if u == nil || seen[u] {
			return
		}
		seen[u] = true
		for _, x := range u.list {
			if l := sc.locals[x.name]; x.root == "local" && l != nil {
				search(l.uses)
			}
			if !isResource(x.root) {
				continue
			}
			d := sc.resources[addr.Kind(x.root)][x.name]
			if d != nil && len(d.instances) > 0 && !slices.ContainsFunc(d.instances, func(in *instance) bool { return !in.idle }) {
				found[d] = d.instances[0]
			}
		}
	}
	search(u)
	return found
}

// readsIdle reports whether an output reads what is not up.
func (d *decl) readsIdle(r *reader) bool {
	s := d.scope.spec
	for _, w := range r.in.wires.list {
		if other := s.byAddr[w.to.Addr]; other != nil && other.idle {
			return true
		}
	}
	return len(s.idleUses(d.scope, d.uses)) > 0
}

// flags says how what is idle is asked for.
func (in *instance) flags() string { return ProfileFlags(in.profiles) }

// ProfileFlags says how what has these profiles is asked for, as "--profile debug or --profile tools".
func ProfileFlags(profiles []string) string {
	flags := make([]string, len(profiles))
	for i, p := range profiles {
		flags[i] = "--profile " + p
	}
	return strings.Join(flags, " or ")
}
