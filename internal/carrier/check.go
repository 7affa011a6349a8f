package carrier

import (
	"bufio"
	"bytes"
	"fmt"
)

// endOfCheck has letters alone, which every code page leaves as they are.
const endOfCheck = "envctlendofcheck\n"

// maxCheck bounds what a check may have grown to on its way.
const maxCheck = 64 << 10

// check gives what each end sends to the other: every byte value next to several others, the pairs
// that text modes change, what is no UTF-8, and the line that ends it.
func check() []byte {
	var b []byte
	for _, step := range []int{1, 255, 7, 91} { // odd, so each walk meets all 256 values
		for i := range 256 {
			b = append(b, byte(i*step))
		}
	}
	for _, s := range []string{"\r\n", "\n", "\n\n", "\r", "\r\r\n", "\x1a", "\x00\x00", "\x04", "\x03", "\xef\xbb\xbf", "\xff\xfe", "\xc3\x28", "\x1b[0m"} {
		b = append(b, 'x')
		b = append(b, s...)
		b = append(b, 'x')
	}
	return append(b, endOfCheck...)
}

// readCheck reads up to the check's end and says in which form this direction can go on.
func readCheck(br *bufio.Reader) (Form, error) {
	var got []byte
	for len(got) < maxCheck {
		b, err := br.ReadByte()
		if err != nil {
			return "", fmt.Errorf("it ended after %d bytes of the check: %w", len(got), err)
		}
		got = append(got, b)
		if b != '\n' {
			continue
		}
		end := bytes.TrimRight(got, "\r\n")
		if !bytes.HasSuffix(end, []byte(endOfCheck[:len(endOfCheck)-1])) {
			continue
		}
		if bytes.Equal(got, check()) {
			return Raw, nil
		}
		return Base64, nil
	}
	return "", fmt.Errorf("no end of the check in %d bytes", len(got))
}
