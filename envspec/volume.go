package envspec

import (
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lazyregexp"
)

func volumeBlock() *block {
	return &block{
		Name: "volume", Labels: []string{"name"},
		Doc: "A named volume that several containers mount, each with `source = volume.NAME`. It outlives them: `down` keeps it, `down --volumes` removes it.",
		Attrs: []attribute{
			{Name: "external", Type: stringValue, Static: true, Doc: "Name of a volume that is on the engine already. It is neither made nor removed, and is in no snapshot."},
		},
	}
}

var volumeName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// volumeAddr is the address of a volume block at the top of a file.
func (d *decl) volumeAddr() addr.Addr {
	return addr.Addr{Template: d.scope.path, Kind: addr.Volume, Name: d.name}
}

// shapeVolume reads a volume block at the top of a file.
func (d *decl) shapeVolume(v *view) {
	r := d.reader(v, nil)
	d.external = r.str("external")
	if d.external != "" && !volumeName.MatchString(d.external) {
		r.report(fault(CodeName, r.rangeOf("external"), "Not a name", "%q cannot be a volume's name on the engine. Use letters, digits, \"_\", \".\" and \"-\".", d.external))
	}
	v.eval.diags = append(v.eval.diags, r.in.diags...)
}

// volume resolves volume.NAME, which is nothing but what a mount takes.
func (r *resolver) volume(name string, t hcl.Traversal, as *attribute) {
	at, d := t.SourceRange(), r.scope.volumes[name]
	if d == nil {
		r.report(CodeUnknownReference, stepRange(t, 1), "Unknown volume", "There is no volume %q.%s", name,
			orSay(didYouMean(name, names(r.scope.volumes)), " Declare it at the top of a file: volume "+quote(name)+" {}."))
		return
	}
	d.used = true
	if as.Type != mountSource || len(t) > 2 {
		r.report(CodeWholeResource, at, "A volume is not a value", "It can be mounted, and nothing of it can be read: write source = volume.%s in the volume block of a container.", name)
	}
}

// volumeValue is what volume.NAME stands for.
func (d *decl) volumeValue() cty.Value {
	if d == nil {
		return cty.DynamicVal
	}
	return cty.ObjectVal(map[string]cty.Value{hidden: cty.StringVal(d.name)})
}

// mount reads a volume block of a container.
func (r *reader) mount(sc *scope) Volume {
	v := Volume{Name: r.label(), Target: r.str("target"), ReadOnly: r.boolean("read_only")}
	if v.Target != "" && !strings.HasPrefix(v.Target, "/") {
		r.report(fault(CodeValue, r.rangeOf("target"), "Not an absolute path", "The target is a path in the container that starts with \"/\"."))
	}
	if target, option, ok := strings.Cut(v.Target, ":"); ok && (option == "ro" || option == "rw" || option == "z" || option == "Z") {
		r.report(fault(CodeValue, r.rangeOf("target"), "Not an absolute path", "The target is the path alone, %s. Read-only is read_only = true.", quote(target)))
	}
	if !r.has("source") {
		if strings.HasPrefix(v.Name, ".") || strings.ContainsAny(v.Name, "/\\") {
			r.report(fault(CodeName, r.labels[0].at, "Not a name", "%q cannot be a volume's name. A folder of the host is its source: volume \"src\" { … } with source = %q.", v.Name, v.Name))
		} else if !volumeName.MatchString(v.Name) {
			r.report(fault(CodeName, r.labels[0].at, "Not a name", "%q cannot be a volume's name. Use letters, digits, \"_\", \".\" and \"-\".", v.Name))
		}
		return v
	}
	if d := r.sharedVolume(sc); d != nil {
		v.Shared, v.External = d.volumeAddr(), d.external
	} else if source := r.str("source"); source != "" {
		v.Source = resolvePath(sc.dir, source)
		r.notElsewhere(sc.spec.Elsewhere, v.Source)
		if _, err := os.Stat(v.Source); err != nil {
			r.report(fault(CodeFile, r.rangeOf("source"), "No such file or folder", "There is no %s to mount. Make it, or leave source out to have a named volume.%s", v.Source, r.meantVolume(sc, source)))
		}
	}
	return v
}

// sharedVolume gives the volume block that source refers to; nil where it is a folder.
func (r *reader) sharedVolume(sc *scope) *decl {
	a := r.body.Attributes["source"]
	if sc.spec.broken[a] {
		return nil
	}
	v, diags := r.evaluate(a.Expr)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.IsMarked() || !v.Type().IsObjectType() || !v.Type().HasAttribute(hidden) {
		return nil // str says what is wrong
	}
	name, _, _ := asString(v.GetAttr(hidden))
	return sc.volumes[name]
}

// meantVolume says what to write where a folder that is not there has the name of a volume.
func (r *reader) meantVolume(sc *scope, source string) string {
	if sc.volumes[source] == nil {
		return ""
	}
	return " To mount the volume of that name, write source = volume." + source + "."
}

// checkVolumes refuses volumes that the engine would take for one, as it knows no capital letters from small ones.
func (sc *scope) checkVolumes(taken map[string]*decl) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range names(sc.volumes) {
		d := sc.volumes[name]
		key := strings.ToLower(d.volumeAddr().String())
		if before := taken[key]; before != nil {
			diags = append(diags, fault(CodeDuplicate, d.block.DefRange(), "Two volumes with one name", "volume %q at %s differs only in capital letters. Give one of them another name.", before.name, place(before.block.TypeRange)))
			continue
		}
		taken[key] = d
	}
	for _, name := range names(sc.templates) {
		if in := sc.templates[name].inside; in != nil {
			diags = append(diags, in.checkVolumes(taken)...)
		}
	}
	return diags
}
