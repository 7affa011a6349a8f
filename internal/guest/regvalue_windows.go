package guest

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// regValue is a registry value as it is stored.
type regValue struct {
	Type uint32 `json:"type"`
	Data []byte `json:"data"`
}

// shown gives a value and its type as a spec has them.
func (v regValue) shown() (text, kind string) {
	kind, ok := map[uint32]string{registry.SZ: "sz", registry.EXPAND_SZ: "expand_sz", registry.MULTI_SZ: "multi_sz",
		registry.DWORD: "dword", registry.QWORD: "qword", registry.BINARY: "binary"}[v.Type]
	if !ok {
		kind = fmt.Sprintf("type %d", v.Type)
	}
	switch {
	case v.Type == registry.SZ || v.Type == registry.EXPAND_SZ:
		return strings.TrimSuffix(wideText(v.Data), "\x00"), kind
	case v.Type == registry.MULTI_SZ:
		return strings.Join(strings.Split(strings.TrimRight(wideText(v.Data), "\x00"), "\x00"), ", "), kind
	case v.Type == registry.DWORD && len(v.Data) == 4:
		return strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v.Data)), 10), kind
	case v.Type == registry.QWORD && len(v.Data) == 8:
		return strconv.FormatUint(binary.LittleEndian.Uint64(v.Data), 10), kind
	}
	return hex.EncodeToString(v.Data), kind
}

// wideText reads UTF-16LE.
func wideText(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// registryValue notes what differs of a value that is no secret; nil is one that is gone.
func (d *drift) registryValue(name string, want regValue, is *regValue) {
	text, kind := want.shown()
	if is == nil {
		d.part(name, shownWhere(text, true), "")
		return
	}
	isText, isKind := is.shown()
	if text == isText && kind == isKind { // what follows the text differs, such as the zero that ends it
		text, isText = fmt.Sprintf("%s (%d bytes)", text, len(want.Data)), fmt.Sprintf("%s (%d bytes)", isText, len(is.Data))
	}
	if text != isText {
		d.part(name, shownWhere(text, true), shownWhere(isText, true))
	}
	if kind != isKind {
		d.part(name+".type", kind, isKind)
	}
}

// readValue gives nil where the value does not exist.
func readValue(k registry.Key, name string) (*regValue, error) {
	for size := 256; ; {
		buf := make([]byte, size)
		n, kind, err := k.GetValue(name, buf)
		switch {
		case errors.Is(err, registry.ErrNotExist):
			return nil, nil
		case errors.Is(err, registry.ErrShortBuffer), errors.Is(err, windows.ERROR_MORE_DATA):
			size = max(n, 2*size)
			continue
		case err != nil:
			return nil, err
		}
		return &regValue{Type: kind, Data: buf[:n]}, nil
	}
}

func writeValue(k registry.Key, name string, v regValue) error {
	name16, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	var data *byte
	if len(v.Data) > 0 {
		data = &v.Data[0]
	}
	r, _, _ := procRegSetValueEx.Call(uintptr(k), uintptr(unsafe.Pointer(name16)), 0, uintptr(v.Type), uintptr(unsafe.Pointer(data)), uintptr(len(v.Data)))
	return errno(r)
}

func deleteValue(k registry.Key, name string) error {
	if err := k.DeleteValue(name); err != nil && !errors.Is(err, registry.ErrNotExist) {
		return err
	}
	return nil
}
