package envspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Code is the stable name of a kind of mistake; the JSON form of a diagnostic carries it.
type Code string

// The codes. A script may compare them; the words of a diagnostic may change.
const (
	CodeSyntax           Code = "syntax"
	CodeFile             Code = "file"
	CodeUnknownBlock     Code = "unknown-block"
	CodeUnknownAttribute Code = "unknown-attribute"
	CodeUnknownReference Code = "unknown-reference"
	CodeUnknownFunction  Code = "unknown-function"
	CodeMissing          Code = "missing"
	CodeDuplicate        Code = "duplicate"
	CodeConflict         Code = "conflict"
	CodeName             Code = "name"
	CodeType             Code = "type"
	CodeValue            Code = "value"
	CodeVariable         Code = "variable"
	CodeNotStatic        Code = "not-static"
	CodeWholeResource    Code = "whole-resource"
	CodeSecret           Code = "secret"
	CodeCycle            Code = "cycle"
	CodeUnused           Code = "unused"
	CodeVersion          Code = "version"
	CodeNotAvailable     Code = "not-available"
	CodeExpression       Code = "expression"
)

// fault is an error at a place in a spec. Its detail should end with what to do.
func fault(code Code, at hcl.Range, summary, detail string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: sprintf(detail, args), Subject: &at, Extra: code}
}

// caution is a warning at a place in a spec.
func caution(code Code, at hcl.Range, summary, detail string, args ...any) *hcl.Diagnostic {
	d := fault(code, at, summary, detail, args...)
	d.Severity = hcl.DiagWarning
	return d
}

func sprintf(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// codeOf gives a diagnostic's code; what HCL itself reports has none of its own.
func codeOf(d *hcl.Diagnostic) Code {
	if c, ok := d.Extra.(Code); ok {
		return c
	}
	return CodeExpression
}

// tidy puts diagnostics in the order of the source and drops those that say the same twice: a
// local is evaluated at many vantages, but its mistake is one.
func tidy(diags hcl.Diagnostics) hcl.Diagnostics {
	type key struct{ where, summary, detail string }
	seen := map[key]bool{}
	out := slices.DeleteFunc(slices.Clone(diags), func(d *hcl.Diagnostic) bool {
		k := key{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			k.where = d.Subject.String()
		}
		dup := seen[k]
		seen[k] = true
		return dup
	})
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return boolCompare(a.Subject != nil, b.Subject != nil)
		}
		if c := strings.Compare(a.Subject.Filename, b.Subject.Filename); c != 0 {
			return c
		}
		return a.Subject.Start.Byte - b.Subject.Start.Byte
	})
	return out
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// list joins names as one would say them: "a", "b" and "c".
func list(names []string, last string) string {
	words := quoted(names)
	switch len(words) {
	case 0:
		return "none"
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

func quoted(names []string) []string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = quote(n)
	}
	return words
}

// place says where something stands, for a detail that names a second place.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }
