// Command msistamp makes an MSI that wixl wrote the same for the same input: it sets the times in the
// file's summary to a fixed one and derives the package code from the content. Without it each build
// would be another file, and so another layer on every machine that has it installed.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: msistamp FILE.msi")
		os.Exit(64)
	}
	if err := stampFile(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "msistamp:", err)
		os.Exit(1)
	}
}

func stampFile(path string) error {
	msi, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := stamp(msi); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, msi, 0o644)
}

// summaryFormat is FMTID_SummaryInformation as it stands in a file, [MS-OLEPS] 3.1.
var summaryFormat = []byte{0xe0, 0x85, 0x9f, 0xf2, 0xf9, 0x4f, 0x68, 0x10, 0xab, 0x91, 0x08, 0x00, 0x2b, 0x27, 0xb3, 0xd9}

// The properties of an MSI's summary that change from build to build, and the types of [MS-OLEPS]
// 2.15 that they must have.
const (
	propPackageCode = 9
	propCreated     = 12
	propSaved       = 13

	typeString = 0x1e
	typeTime   = 0x40

	packageCodeLen = len("{00000000-0000-0000-0000-000000000000}")
	// fixedTime is 2020-01-01 00:00 UTC as a FILETIME, units of 100 ns since 1601.
	fixedTime = uint64(132223104000000000)
)

// stamp changes msi in place. The summary is far smaller than the 4,096 bytes from which a stream gets
// sectors of its own, and wixl writes it in one piece; that piece is checked for what it must hold.
func stamp(msi []byte) error {
	at := bytes.Index(msi, summaryFormat)
	if at < 28 || bytes.Contains(msi[at+1:], summaryFormat) {
		return fmt.Errorf("no single summary was found: is it an MSI?")
	}
	stream := msi[at-28:] // the format's id stands 28 bytes into the property set, [MS-OLEPS] 2.21
	properties, err := locate(stream)
	if err != nil {
		return err
	}
	var code []byte
	for id, field := range properties {
		switch id {
		case propCreated, propSaved:
			if len(field) < 12 || binary.LittleEndian.Uint32(field) != typeTime {
				return fmt.Errorf("summary property %d is no time", id)
			}
			binary.LittleEndian.PutUint64(field[4:], fixedTime)
		case propPackageCode:
			if len(field) < 8+packageCodeLen || binary.LittleEndian.Uint32(field) != typeString || field[8] != '{' || field[8+packageCodeLen-1] != '}' {
				return fmt.Errorf("the summary's package code is not a GUID")
			}
			code = field[8 : 8+packageCodeLen]
		}
	}
	if code == nil {
		return fmt.Errorf("the summary has no package code")
	}
	copy(code, strings.Repeat("0", packageCodeLen))
	h := sha256.Sum256(msi)
	copy(code, fmt.Sprintf("{%X-%X-%X-%X-%X}", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16]))
	return nil
}

// locate gives each property of the stream's only section, from its type on, by its id.
func locate(stream []byte) (map[uint32][]byte, error) {
	word := func(off int) (int, error) {
		if off < 0 || off+4 > len(stream) {
			return 0, fmt.Errorf("the summary is cut off")
		}
		return int(binary.LittleEndian.Uint32(stream[off:])), nil
	}
	section, err := word(44)
	if err != nil {
		return nil, err
	}
	count, err := word(section + 4)
	if err != nil {
		return nil, err
	}
	if count > 64 {
		return nil, fmt.Errorf("the summary names %d properties, more than any has", count)
	}
	found := make(map[uint32][]byte, count)
	for i := range count {
		id, err := word(section + 8 + 8*i)
		if err != nil {
			return nil, err
		}
		off, err := word(section + 12 + 8*i)
		if err != nil {
			return nil, err
		}
		if section+off+12 > len(stream) {
			return nil, fmt.Errorf("the summary is cut off")
		}
		found[uint32(id)] = stream[section+off:]
	}
	return found, nil
}
