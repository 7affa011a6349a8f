package envspec

import (
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

var registryTypes = []string{"sz", "expand_sz", "multi_sz", "dword", "qword", "binary"}

// registryType gives the type that other tools call by another name: REG_DWORD, String.
func registryType(name string) string {
	name = strings.TrimPrefix(strings.ToLower(name), "reg_")
	other := map[string]string{"string": "sz", "expandstring": "expand_sz", "multistring": "multi_sz", "int": "dword", "integer": "dword", "number": "dword", "bool": "dword", "hex": "binary"}
	return orElse(other[name], name)
}

func (r *reader) registry(key string) *guestproto.Registry {
	g := &guestproto.Registry{Values: map[string]guestproto.RegistryValue{}, View: r.str("view")}
	hive, rest, _ := strings.Cut(key, `\`)
	switch {
	case strings.Contains(key, "/"):
		r.report(fault(CodeName, r.labels[0].at, "Not a registry key", "A key is written with backslashes, each doubled: \"HKLM\\\\SOFTWARE\\\\PAS\"."))
	case strings.HasSuffix(hive, ":") && slices.Contains(hives, strings.ToUpper(strings.TrimSuffix(hive, ":"))):
		r.report(fault(CodeName, r.labels[0].at, "Not a registry key", "PowerShell writes a colon after the hive, a key has none: %s.", quote(strings.Replace(key, ":", "", 1))))
	case !slices.Contains(hives, strings.ToUpper(hive)):
		r.report(fault(CodeName, r.labels[0].at, "Not a registry key", "A key starts with its hive, such as HKLM; %q is none.%s", hive, didYouMean(hive, hives[:5])))
	case rest == "":
		r.report(fault(CodeName, r.labels[0].at, "Not a registry key", "Name a key under the hive: \"HKLM\\\\SOFTWARE\\\\PAS\"."))
	}
	r.eachItem("values", func(name string, el cty.Value, hush bool, at hcl.Range) {
		if v, ok := r.registryValue(name, el, hush, at); ok {
			g.Values[name] = v
		}
	})
	return g
}

// registryValue takes a value's type from the value's own, or as { type = …, value = … } says.
func (r *reader) registryValue(name string, el cty.Value, hush bool, at hcl.Range) (guestproto.RegistryValue, bool) {
	el, marks := el.Unmark()
	hush = r.marks(marks, at) || hush
	if !el.IsKnown() || el.IsNull() {
		return guestproto.RegistryValue{}, false
	}
	ty, kind := el.Type(), ""
	if ty.IsObjectType() || ty.IsMapType() {
		var ok bool
		if kind, el, hush, ok = r.typedValue(name, el, hush, at); !ok {
			return guestproto.RegistryValue{}, false
		}
		ty = el.Type()
	}
	if ty.IsTupleType() || ty.IsListType() || ty.IsSetType() {
		return r.multiString(name, kind, el, hush, at)
	}
	want := map[string]cty.Type{"dword": cty.Number, "qword": cty.Number, "": ty}[kind]
	if want == cty.NilType {
		want = cty.String
	}
	v, one, ok := r.scalar(el, want, "a "+want.FriendlyName(), at, "The value "+quote(name))
	if !ok {
		return guestproto.RegistryValue{}, false
	}
	out := guestproto.RegistryValue{Type: kind, Value: secret.Text{Sensitive: one || hush}}
	switch v.Type() {
	case cty.Bool:
		out.Type, out.Value.Value = orElse(kind, "dword"), "0"
		if v.True() {
			out.Value.Value = "1"
		}
	case cty.Number:
		ok = r.registryNumber(name, &out, v.AsBigFloat(), at)
	case cty.String:
		out.Type, out.Value.Value = orElse(kind, "sz"), v.AsString()
		ok = r.registryText(name, &out, at)
	default:
		plain, secret := r.collect(el, at)
		r.report(fault(CodeType, at, "The wrong type", "The value %q cannot be %s. Give a string, a number, a list, or { type = \"…\", value = … }.", name, describe(plain, secret)))
		return out, false
	}
	return out, ok
}

func (r *reader) typedValue(name string, el cty.Value, hush bool, at hcl.Range) (kind string, value cty.Value, secret, ok bool) {
	var parts = map[string]cty.Value{}
	for it := el.ElementIterator(); it.Next(); {
		k, v := it.Element()
		parts[k.AsString()] = v
	}
	value, has := parts["value"]
	if !has || len(parts) > 2 || len(parts) == 2 && parts["type"] == cty.NilVal {
		r.report(fault(CodeType, at, "Not a registry value", "The value %q must be a string, a number, a list, or { type = \"…\", value = … }.", name))
		return "", value, hush, false
	}
	if t, given := parts["type"]; given {
		var good bool
		if kind, _, good = asString(t); !good || !slices.Contains(registryTypes, kind) {
			r.report(fault(CodeValue, at, "Unknown registry type", "%s is not a type.%s It is one of %s.", quote(kind), meantChoice(registryType(kind), registryTypes), list(registryTypes, "or")))
			return "", value, hush, false
		}
	}
	value, marks := value.Unmark()
	return kind, value, r.marks(marks, at) || hush, value.IsKnown() && !value.IsNull()
}

func (r *reader) multiString(name, kind string, el cty.Value, hush bool, at hcl.Range) (guestproto.RegistryValue, bool) {
	if kind != "" && kind != "multi_sz" {
		r.report(fault(CodeType, at, "The wrong type", "The value %q is a list, and a %s holds one value. A list is a multi_sz.", name, kind))
		return guestproto.RegistryValue{}, false
	}
	out := guestproto.RegistryValue{Type: "multi_sz", Items: []secret.Text{}}
	for it := el.ElementIterator(); it.Next(); {
		_, item := it.Element()
		s, one, ok := r.scalar(item, cty.String, "a string", at, "Each element of "+quote(name))
		if !ok {
			return out, false
		}
		out.Items = append(out.Items, secret.Text{Value: s.AsString(), Sensitive: one || hush})
	}
	return out, true
}

func (r *reader) registryNumber(name string, out *guestproto.RegistryValue, f *big.Float, at hcl.Range) bool {
	n, exact := f.Uint64()
	if exact != big.Exact || f.Sign() < 0 {
		r.report(fault(CodeValue, at, "Not a number that fits", "The value %q must be a whole number that is not negative; anything else is text, in quotes.", name))
		return false
	}
	if out.Type == "" {
		out.Type = "dword"
		if n > maxDword {
			out.Type = "qword"
		}
	}
	if out.Type == "dword" && n > maxDword {
		r.report(fault(CodeValue, at, "Not a number that fits", "The value %q is too large for a dword. Use type = \"qword\".", name))
		return false
	}
	out.Value.Value = strconv.FormatUint(n, 10)
	return true
}

func (r *reader) registryText(name string, out *guestproto.RegistryValue, at hcl.Range) bool {
	switch out.Type {
	case "binary":
		if _, err := hex.DecodeString(out.Value.Value); err != nil {
			r.report(fault(CodeValue, at, "Not hex", "The value %q is binary, written as pairs of hex digits such as \"00ff\".", name))
			return false
		}
	case "multi_sz":
		r.report(fault(CodeType, at, "The wrong type", "The value %q is a multi_sz, which holds a list: value = [\"…\"].", name))
		return false
	}
	return true
}
