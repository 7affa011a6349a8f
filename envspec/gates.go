package envspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/envctl/envctl/internal/addr"
)

// openGates warns of what waits by depends_on for a container that has ports and does not say when they
// answer. One without ports has nothing to answer with.
func (sc *scope) openGates() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, d := range sc.all {
		if d.inside != nil {
			diags = append(diags, d.inside.openGates()...)
		}
		a := d.block.Body.Attributes["depends_on"]
		if a == nil {
			continue
		}
		items, _ := hcl.ExprList(a.Expr)
		for _, item := range items {
			t, ds := hcl.AbsTraversalForExpr(item)
			name, ok := stepName(t, 1)
			if ds.HasErrors() || !ok || t.RootName() != string(addr.Container) {
				continue
			}
			if to := sc.resources[addr.Container][name]; to != nil && to.answers() && !to.hasCheck() {
				diags = append(diags, caution(CodeMissing, item.Range(), "Waits for a start only",
					"container.%s has no ready block, so %s %q waits until its process runs, not until it can answer. Add ready { … } to container.%s.", name, d.kind.Name, d.name, name))
			}
		}
	}
	return diags
}

// answers reports whether the resource declares a port.
func (d *decl) answers() bool { return len(d.portNames) > 0 || d.dynamicPorts }

// hasCheck reports whether the resource says when it is ready.
func (d *decl) hasCheck() bool {
	return slices.ContainsFunc(d.block.Body.Blocks, func(b *hclsyntax.Block) bool {
		return b.Type == "ready" || b.Type == "dynamic" && slices.Contains(b.Labels, "ready")
	})
}

// checkPins refuses two resources that pin one port of the host.
func (s *Spec) checkPins() hcl.Diagnostics {
	type pin struct {
		number   int
		protocol string
	}
	var diags hcl.Diagnostics
	type holder struct {
		*instance
		port string
	}
	taken := map[pin]holder{}
	said := map[*decl]bool{}
	for _, in := range s.instances {
		for _, p := range in.ports {
			k := pin{p.Host, p.Protocol}
			before := taken[k]
			switch {
			case p.Host == 0 || before.instance == in || said[in.decl]:
			case before.instance == nil:
				taken[k] = holder{in, p.Name}
			case before.decl == in.decl:
				said[in.decl] = true
				diags = append(diags, fault(CodeConflict, in.decl.hostRange(p.Name), "A port of the host is taken twice",
					"%s and %s would both have port %d of the host. Leave host out, or let it differ by each.key.", before.addr, in.addr, p.Host))
			default:
				said[in.decl] = true
				diags = append(diags, fault(CodeConflict, in.decl.hostRange(p.Name), "A port of the host is taken twice",
					"%s pins %d already, at %s. Leave host out of one of them to have one chosen.", before.addr, p.Host, place(before.decl.hostRange(before.port))))
			}
		}
	}
	return diags
}

// hostRange gives where a port pins its number on the host, or the block's head.
func (d *decl) hostRange(port string) hcl.Range {
	for _, b := range d.block.Body.Blocks {
		if b.Type == "port" && len(b.Labels) == 1 && b.Labels[0] == port && b.Body.Attributes["host"] != nil {
			return b.Body.Attributes["host"].Expr.Range()
		}
	}
	return d.block.DefRange()
}
