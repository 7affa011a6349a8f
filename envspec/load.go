package envspec

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Suffix is what the name of every file of a spec ends with.
const Suffix = ".envctl.hcl"

// LoadOptions says what to load and with which inputs.
type LoadOptions struct {
	Dir   string   // the spec's folder
	Files []string // in place of every *.envctl.hcl in Dir
	// Vars are values by name, as given on a command line; they win over VarFiles, which win
	// over *.auto.vars.hcl in Dir, which win over ENVCTL_VAR_NAME in Environ.
	Vars     map[string]string
	VarFiles []string
	// Profiles are asked for: what has other ones, and not one of these, is not up.
	Profiles []string
	// Environ looks up a variable of the host's environment; nil has none.
	Environ func(string) (string, bool)
	// ToolVersion is envctl's own, for `requires`; "" meets every constraint.
	ToolVersion string
}

// Find gives the nearest folder, from start upwards, that holds a spec.
func Find(start string) (string, error) {
	dir, err := filepath.Abs(start)
	if err != nil {
		return "", fmt.Errorf("find a spec from %s: %w", start, err)
	}
	for here := dir; ; here = filepath.Dir(here) {
		names, err := specFiles(here)
		if err != nil && !os.IsPermission(err) && !os.IsNotExist(err) {
			return "", fmt.Errorf("find a spec: %w", err)
		}
		if len(names) > 0 {
			return here, nil
		}
		if here == filepath.Dir(here) {
			return "", fmt.Errorf("no *%s file in %s or above it; run envctl init to make one, or name a folder with -C", Suffix, dir)
		}
	}
}

// specFiles lists the spec files of a folder, sorted.
func specFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if n := e.Name(); !e.IsDir() && len(n) > len(Suffix) && n[len(n)-len(Suffix):] == Suffix {
			names = append(names, filepath.Join(dir, n))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Load reads a spec and finds every mistake in it that can be found without the world. The Spec is
// never nil, so that its sources can be shown; it is fit for Evaluate only where no diagnostic is an error.
func Load(o LoadOptions) (*Spec, hcl.Diagnostics) {
	s := newSpec(o)
	files := o.Files
	if len(files) == 0 {
		var err error
		if files, err = specFiles(s.Dir); err != nil {
			return s, hcl.Diagnostics{placeless(CodeFile, "Cannot read the spec's folder", "%v.", err)}
		}
		if len(files) == 0 {
			return s, hcl.Diagnostics{placeless(CodeFile, "No spec here", "There is no *%s file in %s. Run envctl init to make one, or name a folder with -C.", Suffix, s.Dir)}
		}
	}
	root, diags := s.loadScope("", s.Dir, files, nil)
	if diags.HasErrors() && root == nil {
		return s, tidy(diags)
	}
	s.root = root
	diags = append(diags, s.check(diags)...)
	diags = tidy(diags)
	s.failed = diags.HasErrors()
	return s, diags
}

// placeless is an error that stands at no place in a file.
func placeless(code Code, summary, detail string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: sprintf(detail, args), Extra: code}
}

// parse reads files, whose names in diagnostics are as short as they can be. Syntax errors stop
// the loading of their folder: what follows from a half-read file would only be noise.
func (s *Spec) parse(files []string) ([]*hclsyntax.Body, hcl.Diagnostics) {
	var bodies []*hclsyntax.Body
	var diags hcl.Diagnostics
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			diags = append(diags, placeless(CodeFile, "Cannot read a file", "%s.", upperFirst(plainError(err).Error())))
			continue
		}
		name := s.display(path)
		file, ds := parseSource(src, name)
		s.files[name] = file
		for _, d := range ds {
			if d.Extra == nil {
				d.Extra = CodeSyntax
			}
		}
		diags = append(diags, firstOfEach(src, ds)...)
		if !ds.HasErrors() {
			bodies = append(bodies, file.Body.(*hclsyntax.Body))
		}
	}
	return bodies, diags
}

// display gives the name by which a file is shown: from the spec's folder where it is in it.
func (s *Spec) display(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(s.Dir, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}
