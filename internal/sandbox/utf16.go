package sandbox

import (
	"encoding/binary"
	"unicode/utf16"
)

// decodeUTF16 gives UTF-8 for an envelope that Windows' own client sends as UTF-16 with a byte
// order mark; anything else passes as it is.
func decodeUTF16(data []byte) []byte {
	if len(data) < 2 || data[0] != 0xff || data[1] != 0xfe {
		return data
	}
	return []byte(fromUTF16(data[2:]))
}

func fromUTF16(data []byte) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

func toUTF16(s string) []byte {
	units := utf16.Encode([]rune(s))
	out := make([]byte, 0, 2*len(units))
	for _, u := range units {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}
