package envspec

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// maxText bounds what is read into the spec; a larger file belongs in a source.
const maxText = 16 << 20

// fileFunctions read files relative to a folder.
func (s *Spec) fileFunctions(dir string) map[string]function.Function {
	return map[string]function.Function{
		"file":       s.readFunc(dir, func(b []byte) string { return string(b) }),
		"filebase64": s.readFunc(dir, base64.StdEncoding.EncodeToString),
		"filesha256": oneFunc("path", func(path string) (string, error) {
			sum, _, err := s.sums.sum(resolvePath(dir, path))
			return sum, plainError(err)
		}),
		"fileexists": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}},
			Type:   function.StaticReturnType(cty.Bool),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				info, err := os.Stat(resolvePath(dir, args[0].AsString()))
				return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
			},
		}),
		"basename": oneFunc("path", func(p string) (string, error) { return filepath.Base(p), nil }),
		"dirname":  oneFunc("path", func(p string) (string, error) { return filepath.Dir(p), nil }),
		"abspath":  oneFunc("path", func(p string) (string, error) { return resolvePath(dir, p), nil }),
	}
}

// readFunc makes a function that gives a file's content as text.
func (s *Spec) readFunc(dir string, text func([]byte) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := resolvePath(dir, args[0].AsString())
			b, err := s.readText(path)
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(text(b)).Mark(fileMark{path}), nil
		},
	})
}

// resolvePath gives the absolute path of what a spec calls path: "~" is the user's home.
func resolvePath(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/' || rest[0] == filepath.Separator) {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

// readText reads a file once in a Spec's life, so that a plan and its apply see the same.
func (s *Spec) readText(path string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.texts[path]; ok {
		return b, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is a folder or a device, not a file", path)
	}
	if info.Size() > maxText {
		return nil, fmt.Errorf("%s is larger than 16 MB; name it in a source instead", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, plainError(err)
	}
	s.texts[path] = b
	return b, nil
}

// plainError says what is wrong with a file without the name of the system call.
func plainError(err error) error {
	var pathErr *os.PathError
	if !errors.As(err, &pathErr) {
		return err
	}
	if os.IsNotExist(err) {
		return fmt.Errorf("there is no file %s", pathErr.Path)
	}
	return fmt.Errorf("%s: %w", pathErr.Path, pathErr.Err)
}

// templateFileFunc renders a file's template with the values given to it.
func (s *Spec) templateFileFunc(dir string, all map[string]function.Function) function.Function {
	inside := maps.Clone(all) // before templatefile itself is in it: no recursion
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "path", Type: cty.String},
			{Name: "values", Type: cty.DynamicPseudoType, AllowMarked: true},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := resolvePath(dir, args[0].AsString())
			src, err := s.readText(path)
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			expr, diags := hclsyntax.ParseTemplate(src, s.display(path), hcl.InitialPos)
			if diags.HasErrors() {
				return cty.UnknownVal(cty.String), function.NewArgError(0, firstError(diags))
			}
			guard(expr)
			values, marks := args[1].Unmark()
			if ty := values.Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(1, "a map of values is needed, such as { port = 8080 }")
			}
			vars := map[string]cty.Value{}
			for it := values.ElementIterator(); it.Next(); {
				k, v := it.Element()
				vars[k.AsString()] = v
			}
			for _, t := range expr.Variables() {
				if _, ok := vars[t.RootName()]; !ok {
					return cty.UnknownVal(cty.String), function.NewArgErrorf(1, "%s uses %q, and the values have %s",
						place(t.SourceRange()), t.RootName(), list(names(vars), "and"))
				}
			}
			out, diags := expr.Value(&hcl.EvalContext{Variables: vars, Functions: inside})
			if diags.HasErrors() {
				return cty.UnknownVal(cty.String), function.NewArgError(0, firstError(redact(diags)))
			}
			text, err := convert.Convert(out, cty.String)
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "the template does not give a string")
			}
			return text.WithMarks(marks).Mark(fileMark{path}), nil
		},
	})
}

// firstError gives the first diagnostic as an error with its place.
func firstError(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return fmt.Errorf("%s: %s; %s", place(*d.Subject), d.Summary, strings.TrimSuffix(d.Detail, "."))
		}
	}
	return nil
}

// readsSecret reports whether the expression that a diagnostic is about reads a secret.
func readsSecret(d *hcl.Diagnostic) bool {
	return slices.ContainsFunc(d.Expression.Variables(), func(t hcl.Traversal) bool {
		v, _ := t.TraverseAbs(d.EvalContext)
		return v != cty.NilVal && isSecret(v)
	})
}

// redact takes the detail out of every diagnostic whose expression reads a secret: what a function
// says of its argument may quote it.
func redact(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		if d.Expression == nil || d.EvalContext == nil {
			continue
		}
		if readsSecret(d) {
			d.Detail = "A secret is involved, so the details are not shown. A credential has its value only when it is used: a function that needs a number, JSON or another form of text cannot take it."
		} else {
			explain(d)
		}
		d.Expression, d.EvalContext = nil, nil
	}
	return diags
}
