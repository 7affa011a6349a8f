package winrm

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf16"
)

const clixmlHead = "#< CLIXML"

// DecodeCLIXML makes what PowerShell writes to a redirected stderr readable: the errors, warnings
// and other messages of any number of Objs documents, in order, without progress records. Text that
// is no CLIXML, or is broken, is given back as it came.
func DecodeCLIXML(stderr string) string {
	var out strings.Builder
	rest := stderr
	for {
		before, after, found := strings.Cut(rest, clixmlHead)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		rest = strings.TrimLeft(after, "\r\n")
		for strings.HasPrefix(rest, "<Objs") {
			end := strings.Index(rest, "</Objs>")
			if end < 0 {
				return out.String() + rest
			}
			end += len("</Objs>")
			text, ok := objs(rest[:end])
			if !ok {
				text = rest[:end]
			}
			out.WriteString(text)
			rest = strings.TrimLeft(rest[end:], "\r\n")
		}
	}
}

// objs gives the strings directly under one Objs element ([MS-PSRP] 2.2.5.1.1).
func objs(doc string) (string, bool) {
	var out, text strings.Builder
	x := xml.NewDecoder(strings.NewReader(doc))
	depth, message := 0, false
	for {
		tok, err := x.Token()
		if err != nil {
			return out.String(), depth == 0
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			message = depth == 2 && t.Name.Local == "S"
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if message {
				out.WriteString(unescapeCLIXML(text.String()))
			}
			message = false
			depth--
		}
	}
}

// unescapeCLIXML turns _xHHHH_ into the UTF-16 code units that it stands for.
func unescapeCLIXML(s string) string {
	var out strings.Builder
	var units []uint16
	flush := func() {
		out.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	for len(s) > 0 {
		if len(s) >= 7 && strings.HasPrefix(s, "_x") && s[6] == '_' {
			if n, err := strconv.ParseUint(s[2:6], 16, 16); err == nil {
				units = append(units, uint16(n))
				s = s[7:]
				continue
			}
		}
		flush()
		out.WriteByte(s[0])
		s = s[1:]
	}
	flush()
	return out.String()
}
