package resolve

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
)

// Gap is one item that a lock lacks, or holds to something else than is there.
type Gap struct {
	Name string // in words, as "image postgres:17 for linux/amd64"
	// Locked and Found are what the lock holds and what there is; Locked is "" where the lock lacks the item, Found
	// where nobody has asked yet what it is.
	Locked, Found string
	// Unknown says that without the lock it cannot be told what it is.
	Unknown bool
}

// String says what of the item would change.
func (g Gap) String() string {
	if g.Locked == "" {
		return g.Name + " is not locked"
	}
	return fmt.Sprintf("%s is %s, and locked as %s", g.Name, g.Found, g.Locked)
}

// Gaps lists what "envctl lock" would write. A nil lock has nothing.
func (w *Wants) Gaps(l *envspec.Lock) (gaps []Gap) {
	x := newIndex(l)
	for _, i := range w.Images {
		if _, ok := x.images[imageKey{i.Ref, i.Platform}]; !ok {
			gaps = append(gaps, Gap{Name: fmt.Sprintf("image %s for %s", i.Ref, i.Platform)})
		}
	}
	for _, f := range w.Files {
		if have, ok := x.files[f.Path]; !ok {
			gaps = append(gaps, Gap{Name: "file " + f.Path, Unknown: f.SHA256 == ""})
		} else if f.SHA256 != "" && have.SHA256 != f.SHA256 {
			gaps = append(gaps, Gap{Name: "file " + f.Path, Locked: have.SHA256, Found: f.SHA256})
		}
	}
	for _, t := range w.Templates {
		if have, ok := x.templates[t.Source]; !ok {
			gaps = append(gaps, Gap{Name: "template " + t.Source})
		} else if have.SHA256 != t.SHA256 {
			gaps = append(gaps, Gap{Name: "template " + t.Source, Locked: have.SHA256, Found: t.SHA256})
		}
	}
	return gaps
}

// FileFault is an installer or a script that is not the one that was locked.
type FileFault struct {
	Path       string
	diagnostic *hcl.Diagnostic
}

// Diagnostics gives faults as what is shown, at their places in the lock file.
func Diagnostics(faults []FileFault) (diags hcl.Diagnostics) {
	for _, f := range faults {
		diags = append(diags, f.diagnostic)
	}
	return diags
}

// CheckFiles finds the installers and scripts that are not the ones that were locked. A template in a folder is edited
// like the spec: another one is no fault.
func (w *Wants) CheckFiles(l *envspec.Lock) (faults []FileFault) {
	x := newIndex(l)
	for _, f := range w.Files {
		have, ok := x.files[f.Path]
		if !ok || f.SHA256 == "" || have.SHA256 == f.SHA256 {
			continue
		}
		faults = append(faults, FileFault{f.Path, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Another file than was locked", Subject: &have.Range, Extra: envspec.CodeValue,
			Detail: fmt.Sprintf("%s, which %s uses, has changed:\n  locked   %s\n  on disk  %s\nPut the locked file back, or take the new one with: envctl lock --upgrade %s",
				f.Path, users(f.Users), have.SHA256, f.SHA256, quoted(f.Path)),
		}})
	}
	return faults
}

// quoted makes a path one word of a command.
func quoted(path string) string {
	if strings.ContainsAny(path, " '\"$\\") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

func users(list []addr.Addr) string {
	seen := map[addr.Addr]bool{}
	var text []string
	for _, a := range list {
		if !seen[a] {
			seen[a] = true
			text = append(text, a.String())
		}
	}
	return strings.Join(text, ", ")
}

type imageKey struct{ ref, platform string }

// index is a lock by its items' names.
type index struct {
	images    map[imageKey]envspec.LockedImage
	files     map[string]envspec.LockedFile
	templates map[string]envspec.LockedTemplate
}

func newIndex(l *envspec.Lock) index {
	x := index{map[imageKey]envspec.LockedImage{}, map[string]envspec.LockedFile{}, map[string]envspec.LockedTemplate{}}
	if l == nil {
		return x
	}
	for _, i := range l.Images {
		x.images[imageKey{i.Ref, i.Platform}] = i
	}
	for _, f := range l.Files {
		x.files[f.Path] = f
	}
	for _, t := range l.Templates {
		x.templates[t.Source] = t
	}
	return x
}
