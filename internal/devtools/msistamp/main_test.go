package main

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"testing"
)

// summary is a property set as wixl writes it, with some bytes of a file around it.
func summary(code string, when uint64, rest string) []byte {
	le := binary.LittleEndian
	section := make([]byte, 8+3*8)
	var values []byte
	add := func(slot int, id uint32, value []byte) {
		le.PutUint32(section[8+8*slot:], id)
		le.PutUint32(section[12+8*slot:], uint32(len(section)+len(values)))
		values = append(values, value...)
	}
	le.PutUint32(section[4:], 3)
	text := le.AppendUint32(le.AppendUint32(nil, typeString), uint32(len(code)+1))
	add(0, propPackageCode, append(append(text, code...), 0, 0, 0))
	stamp := le.AppendUint64(le.AppendUint32(nil, typeTime), when)
	add(1, propCreated, stamp)
	add(2, propSaved, stamp)

	header := append(make([]byte, 28), summaryFormat...)
	header = le.AppendUint32(header, 48)
	return append(append(append(append([]byte("before"), header...), section...), values...), rest...)
}

func TestStampMakesEqualWhatOnlyTimeAndCodeSetApart(t *testing.T) {
	one := summary("{11111111-2222-3333-4444-555555555555}", 1, "cabinet")
	two := summary("{AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE}", 2, "cabinet")
	other := summary("{11111111-2222-3333-4444-555555555555}", 1, "another cabinet")
	for _, msi := range [][]byte{one, two, other} {
		if err := stamp(msi); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one, two) {
		t.Error("the same content is still two files")
	}
	codes := regexp.MustCompile(`\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}`)
	a, b := codes.Find(one), codes.Find(other)
	if a == nil || b == nil || bytes.Equal(a, b) {
		t.Errorf("package codes of different contents: %s and %s", a, b)
	}
	again := bytes.Clone(one)
	if err := stamp(again); err != nil || !bytes.Equal(again, one) {
		t.Errorf("stamping twice is not the same as once: %v", err)
	}
}

func TestStampRefusesWhatItDoesNotKnow(t *testing.T) {
	whole := summary("{11111111-2222-3333-4444-555555555555}", 1, "")
	for name, msi := range map[string][]byte{
		"no summary":     []byte("MZ and more"),
		"two summaries":  append(bytes.Clone(whole), whole...),
		"cut off":        whole[:70],
		"no GUID":        summary("a package code that is not one at all", 1, "padding padding"),
		"format at zero": append(bytes.Clone(summaryFormat), make([]byte, 100)...),
	} {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(msi)
			if err := stamp(msi); err == nil {
				t.Errorf("it was taken; changed: %v", !bytes.Equal(before, msi))
			}
		})
	}
}
