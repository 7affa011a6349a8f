package guest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// registryKind sets values under one key. Undo puts each value back; a key that the layer made goes
// with all that came into it since, and the keys made above it where nothing else is in them.
type registryKind struct{}

// registrySaved is what undo needs. A nil value was not there.
type registrySaved struct {
	Made   []string             `json:"made,omitempty"` // paths under the root, the topmost first
	Values map[string]*regValue `json:"values"`
}

// regPath is a key: "HKLM\SOFTWARE\PAS" in one of the two views.
type regPath struct {
	root registry.Key
	path string
	view uint32
}

func parseRegPath(name, view string) (regPath, error) {
	root, path, _ := strings.Cut(strings.ReplaceAll(name, "/", `\`), `\`)
	p := regPath{path: strings.Trim(path, `\`)}
	switch strings.ToUpper(root) {
	case "HKLM", "HKEY_LOCAL_MACHINE":
		p.root = registry.LOCAL_MACHINE
	case "HKCU", "HKEY_CURRENT_USER":
		p.root = registry.CURRENT_USER
	case "HKCR", "HKEY_CLASSES_ROOT":
		p.root = registry.CLASSES_ROOT
	case "HKU", "HKEY_USERS":
		p.root = registry.USERS
	default:
		return p, fmt.Errorf("%q begins with no hive: HKLM, HKCU, HKCR or HKU", name)
	}
	switch view {
	case "", "64":
		p.view = registry.WOW64_64KEY
	case "32":
		p.view = registry.WOW64_32KEY
	default:
		return p, fmt.Errorf("view %q: 64 or 32", view)
	}
	if p.path == "" {
		return p, fmt.Errorf("%q is a whole hive", name)
	}
	return p, nil
}

func (p regPath) open(access uint32) (registry.Key, error) {
	return registry.OpenKey(p.root, p.path, access|p.view)
}

// missing gives the keys on the path that do not exist, the topmost first.
func (p regPath) missing() ([]string, error) {
	parts := strings.Split(p.path, `\`)
	for i := range parts {
		k, err := registry.OpenKey(p.root, strings.Join(parts[:i+1], `\`), registry.QUERY_VALUE|p.view)
		if err == nil {
			k.Close()
			continue
		}
		if !errors.Is(err, registry.ErrNotExist) {
			return nil, err
		}
		made := []string{}
		for j := i; j < len(parts); j++ {
			made = append(made, strings.Join(parts[:j+1], `\`))
		}
		return made, nil
	}
	return nil, nil
}

// set writes values and makes the key if need be. What was there goes to save first.
func (p regPath) set(values map[string]regValue, save func(registrySaved) error) error {
	saved := registrySaved{Values: map[string]*regValue{}}
	var err error
	if saved.Made, err = p.missing(); err != nil {
		return err
	}
	if len(saved.Made) == 0 {
		k, err := p.open(registry.QUERY_VALUE)
		if err != nil {
			return err
		}
		defer k.Close()
		for name := range values {
			if saved.Values[name], err = readValue(k, name); err != nil {
				return err
			}
		}
	}
	if err := save(saved); err != nil {
		return err
	}
	k, _, err := registry.CreateKey(p.root, p.path, registry.SET_VALUE|p.view)
	if err != nil {
		return err
	}
	defer k.Close()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := writeValue(k, name, values[name]); err != nil {
			return fmt.Errorf("value %q: %w", name, err)
		}
	}
	return nil
}

// restore undoes set.
func (p regPath) restore(saved registrySaved) error {
	if n := len(saved.Made); n > 0 {
		if err := deleteTree(p.root, saved.Made[n-1], p.view); err != nil {
			return err
		}
		for i := n - 2; i >= 0; i-- {
			p.deleteIfEmpty(saved.Made[i])
		}
		return nil
	}
	k, err := p.open(registry.SET_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		// Someone removed the key: it comes back where there was something of theirs in it.
		if !slices.ContainsFunc(slices.Collect(maps.Values(saved.Values)), func(v *regValue) bool { return v != nil }) {
			return nil
		}
		k, _, err = registry.CreateKey(p.root, p.path, registry.SET_VALUE|p.view)
	}
	if err != nil {
		return err
	}
	defer k.Close()
	for name, v := range saved.Values {
		if v == nil {
			err = deleteValue(k, name)
		} else {
			err = writeValue(k, name, *v)
		}
		if err != nil {
			return fmt.Errorf("value %q: %w", name, err)
		}
	}
	return nil
}

func (p regPath) deleteIfEmpty(path string) {
	k, err := registry.OpenKey(p.root, path, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|p.view)
	if err != nil {
		return
	}
	info, err := k.Stat()
	k.Close()
	if err == nil && info.SubKeyCount == 0 && info.ValueCount == 0 {
		_ = deleteKey(p.root, path, p.view) // somebody put something in it: it stays
	}
}

// differs says which values are not as they should be. As part gives it, each has a name in the plan, and may be
// a secret.
func (p regPath) differs(values map[string]regValue, part func(name string) (string, bool)) (d drift, err error) {
	k, err := p.open(registry.QUERY_VALUE)
	gone := errors.Is(err, registry.ErrNotExist)
	switch {
	case gone:
		d.say("the key is gone")
	case err != nil:
		return d, err
	default:
		defer k.Close()
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		var is *regValue
		if !gone {
			if is, err = readValue(k, name); err != nil {
				return d, err
			}
		}
		want := values[name]
		switch {
		case gone: // said already
		case is == nil:
			d.say("value %q is gone", name)
		case is.Type != want.Type || !bytes.Equal(is.Data, want.Data):
			d.say("value %q was changed", name)
		default:
			continue
		}
		if shown, isSecret := part(name); isSecret {
			d.hidden(shown, is == nil)
		} else {
			d.registryValue(shown, want, is)
		}
	}
	return d, nil
}

func (registryKind) apply(_ context.Context, s *step) error {
	p, values, err := registryLayer(s.layer)
	if err != nil {
		return err
	}
	return p.set(values, func(saved registrySaved) error { return s.save(saved) })
}

func (registryKind) undo(_ context.Context, s *step) error {
	var saved registrySaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	p, err := parseRegPath(s.layer.Name, s.layer.Registry.View)
	if err != nil {
		return err
	}
	return p.restore(saved)
}

func (registryKind) observe(_ context.Context, s *step) (drift, error) {
	p, values, err := registryLayer(s.layer)
	if err != nil {
		return drift{}, err
	}
	return p.differs(values, func(name string) (string, bool) {
		v := s.layer.Registry.Values[name]
		isSecret := v.Value.Sensitive || slices.ContainsFunc(v.Items, func(t secret.Text) bool { return t.Sensitive })
		return "values." + cmp.Or(name, "(default)"), isSecret
	})
}

func registryLayer(l guestproto.Layer) (regPath, map[string]regValue, error) {
	p, err := parseRegPath(l.Name, l.Registry.View)
	if err != nil {
		return p, nil, err
	}
	values := map[string]regValue{}
	for name, v := range l.Registry.Values {
		if values[name], err = encodeValue(v); err != nil {
			return p, nil, fmt.Errorf("value %q: %w", name, err)
		}
	}
	return p, values, nil
}

// encodeValue gives a value the form in which the registry keeps it.
func encodeValue(v guestproto.RegistryValue) (regValue, error) {
	text := v.Value.Reveal()
	switch strings.ToLower(v.Type) {
	case "", "sz":
		return regValue{registry.SZ, utf16z(text)}, nil
	case "expand_sz":
		return regValue{registry.EXPAND_SZ, utf16z(text)}, nil
	case "multi_sz":
		return multiSZ(v.Items), nil
	case "dword", "qword":
		bits := 32
		if strings.ToLower(v.Type) == "qword" {
			bits = 64
		}
		n, err := strconv.ParseUint(text, 0, bits)
		if err != nil {
			signed, serr := strconv.ParseInt(text, 0, bits)
			if serr != nil { // strconv's error would repeat the value, which may be secret
				return regValue{}, fmt.Errorf("it is no whole number of %d bits", bits)
			}
			n = uint64(signed)
		}
		if bits == 32 {
			return regValue{registry.DWORD, binary.LittleEndian.AppendUint32(nil, uint32(n))}, nil
		}
		return regValue{registry.QWORD, binary.LittleEndian.AppendUint64(nil, n)}, nil
	case "binary":
		b, err := hex.DecodeString(strings.NewReplacer(" ", "", ",", "", "-", "").Replace(text))
		if err != nil {
			return regValue{}, errors.New("it is not hexadecimal")
		}
		return regValue{registry.BINARY, b}, nil
	}
	return regValue{}, fmt.Errorf("no type %q: sz, expand_sz, multi_sz, dword, qword or binary", v.Type)
}

func multiSZ(items []secret.Text) regValue {
	var data []byte
	for _, item := range items {
		data = append(data, utf16z(item.Reveal())...)
	}
	return regValue{registry.MULTI_SZ, append(data, 0, 0)}
}

// utf16z is UTF-16LE, ended by a zero.
func utf16z(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}
