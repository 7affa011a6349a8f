package envspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// LockName is the name of the lock file, which lies beside the spec.
const LockName = "envctl.lock.hcl"

// Lock is what a lock file holds: what the names in a spec meant when it was locked.
type Lock struct {
	Images    []LockedImage
	Files     []LockedFile
	Templates []LockedTemplate
}

// LockedImage is what an image's name means on one platform.
type LockedImage struct {
	Ref      string // as the spec writes it
	Platform string // "linux/amd64"
	// Digest, "sha256:" and 64 hex digits, is the registry's; of an image that only an engine has, LocalID is
	// set in its place.
	Digest  string
	LocalID string
	Range   hcl.Range // of the value in the file
}

// LockedFile is an installer or another large file that a layer names.
type LockedFile struct {
	Path   string // from the spec's folder, with slashes
	SHA256 string // 64 lower-case hex digits
	Range  hcl.Range
}

// LockedTemplate is a template's folder.
type LockedTemplate struct {
	Source string // from the spec's folder, with slashes
	SHA256 string // of all that is in it
	Range  hcl.Range
}

const lockHeader = `# What the names in the spec meant when this was written, by "envctl lock". Commit it. After a merge, keep
# the lines of both sides, or take the doubtful ones out, and run "envctl lock".

`

// Bytes gives the lock as a file: sorted, each item on a line of its own, the same text for the same lock.
func (l *Lock) Bytes() []byte {
	lines := make([]string, 0, len(l.Images)+len(l.Files)+len(l.Templates))
	for _, f := range l.Files {
		lines = append(lines, lockLine("file", "sha256", f.SHA256, f.Path))
	}
	for _, i := range l.Images {
		if i.LocalID != "" {
			lines = append(lines, lockLine("image", "local_id", i.LocalID, i.Ref, i.Platform))
		} else {
			lines = append(lines, lockLine("image", "digest", i.Digest, i.Ref, i.Platform))
		}
	}
	for _, t := range l.Templates {
		lines = append(lines, lockLine("template", "sha256", t.SHA256, t.Source))
	}
	slices.Sort(lines)
	return []byte(lockHeader + strings.Join(lines, ""))
}

func lockLine(kind, name, value string, labels ...string) string {
	var b strings.Builder
	b.WriteString(kind)
	for _, text := range labels {
		b.WriteByte(' ')
		b.Write(hclwrite.TokensForValue(cty.StringVal(text)).Bytes())
	}
	fmt.Fprintf(&b, " { %s = %q }\n", name, value)
	return b.String()
}

// conflict matches what git leaves in a file that it could not merge.
var conflict = lazyregexp.New(`(?m)^(<{7}|\|{7}|={7}|>{7})( .*)?\r?$`)

// ParseLock reads a lock file; filename is for its diagnostics, all of which name a place in it. The
// file is given even where it is damaged, so that diagnostics can be shown.
func ParseLock(src []byte, filename string) (*Lock, *hcl.File, hcl.Diagnostics) {
	l := &Lock{}
	if at := conflict.FindIndex(src); at != nil {
		file := &hcl.File{Bytes: src, Body: hcl.EmptyBody()}
		return l, file, hcl.Diagnostics{fault(CodeSyntax, lineRange(src, at, filename), "A merge left conflicts here",
			"Keep the lines of both sides and take the markers out; where the same item has two values, take its lines out too. Then \"envctl lock\" puts in what is missing.")}
	}
	file, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return l, file, firstOfEach(src, diags)
	}
	r := lockReader{lock: l, seen: map[string]hcl.Range{}}
	body := file.Body.(*hclsyntax.Body)
	for _, a := range sortedAttrs(body.Attributes) {
		r.report(a.NameRange, "Not an item of a lock", "A lock file holds image, file and template blocks. Take this out, or upgrade envctl if a newer one wrote it.")
	}
	for _, b := range body.Blocks {
		r.block(b)
	}
	return l, file, tidy(r.diags)
}

// lineRange gives the place of bytes that lie within a line.
func lineRange(src []byte, at []int, filename string) hcl.Range {
	line := 1 + strings.Count(string(src[:at[0]]), "\n")
	text := strings.TrimRight(string(src[at[0]:at[1]]), "\r")
	return hcl.Range{
		Filename: filename,
		Start:    hcl.Pos{Line: line, Column: 1, Byte: at[0]},
		End:      hcl.Pos{Line: line, Column: 1 + len([]rune(text)), Byte: at[0] + len(text)},
	}
}

type lockReader struct {
	lock  *Lock
	seen  map[string]hcl.Range
	diags hcl.Diagnostics
}

func (r *lockReader) report(at hcl.Range, summary, detail string, args ...any) {
	r.diags = append(r.diags, fault(CodeValue, at, summary, detail, args...))
}

// lockLabels are the blocks of a lock file and what their labels are.
var lockLabels = map[string]string{
	"file":     `the file's path, as file "setup.msi" { … }`,
	"image":    `the image and its platform, as image "postgres:17" "linux/amd64" { … }`,
	"template": `the template's source, as template "./billing" { … }`,
}

func (r *lockReader) block(b *hclsyntax.Block) {
	labels, known := lockLabels[b.Type]
	if !known {
		r.report(b.TypeRange, "Not an item of a lock", "A lock file holds image, file and template blocks.%s If a newer envctl wrote it, upgrade this one.",
			didYouMean(b.Type, names(lockLabels)))
		return
	}
	want := 1
	if b.Type == "image" {
		want = 2
	}
	if len(b.Labels) != want {
		r.report(b.DefRange(), "Not a whole item", "It is named by %s. Take the line out and run \"envctl lock\".", labels)
		return
	}
	key := fmt.Sprintf("%s %q", b.Type, b.Labels)
	if first, dup := r.seen[key]; dup {
		r.report(b.DefRange(), "Locked twice", "This item stands at %s too. Take out the line that is wrong, or both, and run \"envctl lock\".", place(first))
		return
	}
	r.seen[key] = b.DefRange()
	name, value, at := r.value(b)
	if value == "" {
		return
	}
	switch {
	case b.Type == "file":
		r.lock.Files = append(r.lock.Files, LockedFile{Path: b.Labels[0], SHA256: value, Range: at})
	case b.Type == "template":
		r.lock.Templates = append(r.lock.Templates, LockedTemplate{Source: b.Labels[0], SHA256: value, Range: at})
	case name == "local_id":
		r.lock.Images = append(r.lock.Images, LockedImage{Ref: b.Labels[0], Platform: b.Labels[1], LocalID: value, Range: at})
	default:
		r.lock.Images = append(r.lock.Images, LockedImage{Ref: b.Labels[0], Platform: b.Labels[1], Digest: value, Range: at})
	}
}

var (
	lockedDigest = lazyregexp.New(`^sha256:[0-9a-f]{64}$`)
	lockedSum    = lazyregexp.New(`^[0-9a-f]{64}$`)
)

// value reads the one argument of an item; it is "" where that is not what it should be.
func (r *lockReader) value(b *hclsyntax.Block) (name, value string, at hcl.Range) {
	may, form, example := []string{"sha256"}, lockedSum, "64 lower-case hex digits"
	if b.Type == "image" {
		may, form, example = []string{"digest", "local_id"}, lockedDigest, "\"sha256:\" and 64 lower-case hex digits"
	}
	attrs := sortedAttrs(b.Body.Attributes)
	if len(attrs) != 1 || len(b.Body.Blocks) > 0 || !slices.Contains(may, attrs[0].Name) {
		r.report(b.DefRange(), "Not a whole item", "It holds one argument, %s. Take it out and run \"envctl lock\".", list(may, "or"))
		return "", "", hcl.Range{}
	}
	at = attrs[0].Expr.Range()
	val, diags := attrs[0].Expr.Value(nil)
	if diags.HasErrors() || val.IsNull() || val.Type() != cty.String || !form.MatchString(val.AsString()) {
		r.report(at, "Not a digest", "%s is %s. Take the line out and run \"envctl lock\".", upperFirst(attrs[0].Name), example)
		return "", "", at
	}
	return attrs[0].Name, val.AsString(), at
}
