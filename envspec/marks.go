package envspec

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/envctl/envctl/internal/addr"
)

// wireMark is on every value that holds an endpoint's address as somebody reaches it: whoever
// receives the value uses the wire.
type wireMark struct {
	to addr.Endpoint
	// unordered wires without making the reader wait.
	unordered bool
}

// secretMark is on every value that a secret went into.
type secretMark struct{}

// wholeMark is on a hidden attribute of each resource's and credential's object. It comes to light
// only where the object is used whole.
type wholeMark struct{ address string }

// fileMark is on every value that the text of a file went into, so that the lock can hold the files of a script.
type fileMark struct{ path string }

// hidden is the name of that attribute. No spec can write it.
const hidden = "(whole)"

// secretValue marks v as secret. The files in it are forgotten: the sum of a short secret tells of it.
func secretValue(v cty.Value) cty.Value { return withoutFiles(v).Mark(secretMark{}) }

func withoutFiles(v cty.Value) cty.Value {
	if !v.ContainsMarked() {
		return v
	}
	v, paths := v.UnmarkDeepWithPaths()
	for i := range paths {
		rest := cty.ValueMarks{}
		for m := range paths[i].Marks {
			if _, file := m.(fileMark); !file {
				rest[m] = struct{}{}
			}
		}
		paths[i].Marks = rest
	}
	return v.MarkWithPaths(paths)
}

// isSecret reports whether a secret is anywhere in v.
func isSecret(v cty.Value) bool {
	if !v.ContainsMarked() {
		return false
	}
	_, marks := v.UnmarkDeep()
	_, secret := marks[secretMark{}]
	return secret
}

// unorderedFunc keeps a value and its wires but not the ordering that they mean.
func unorderedFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Gives its argument; the wires in it no longer make the reader wait.",
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true, AllowNull: true, AllowUnknown: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, paths := args[0].UnmarkDeepWithPaths()
			for i := range paths {
				loose := cty.ValueMarks{}
				for m := range paths[i].Marks {
					if w, ok := m.(wireMark); ok {
						w.unordered = true
						m = w
					}
					loose[m] = struct{}{}
				}
				paths[i].Marks = loose
			}
			return v.MarkWithPaths(paths), nil
		},
	})
}

// sensitiveFunc marks a value as secret.
func sensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Gives its argument, hidden wherever it goes.",
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true, AllowNull: true, AllowUnknown: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return secretValue(args[0]), nil },
	})
}

// asString converts a primitive to a string, its marks set aside.
func asString(v cty.Value) (string, cty.ValueMarks, bool) {
	v, marks := v.UnmarkDeep()
	s, err := convert.Convert(v, cty.String)
	if err != nil || !s.IsKnown() || s.IsNull() {
		return "", marks, false
	}
	return s.AsString(), marks, true
}
