// Package hl7 is the little of HL7 version 2 that the practice system speaks: it takes a message
// apart by its own delimiters, reads a patient from an ADT message, writes the acknowledgement, and
// frames both for TCP (MLLP). What to do with a patient is its caller's.
package hl7

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is one HL7 v2 message, its segments split at the delimiters that its MSH declares.
type Message struct {
	segments [][]string
	field    byte // MSH-1
	encoding string
}

// Parse takes a message apart. Segments end with CR; LF and CRLF are taken too, as real senders
// write them. Bytes that are not UTF-8 are read as ISO 8859-1.
func Parse(raw []byte) (Message, error) {
	text := string(raw)
	if !utf8.Valid(raw) {
		runes := make([]rune, len(raw))
		for i, b := range raw {
			runes[i] = rune(b)
		}
		text = string(runes)
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\r"), "\n", "\r")
	if len(text) < 8 || !strings.HasPrefix(text, "MSH") {
		return Message{}, fmt.Errorf("the message does not begin with an MSH segment")
	}
	m := Message{field: text[3]}
	for line := range strings.SplitSeq(text, "\r") {
		if line != "" {
			m.segments = append(m.segments, strings.Split(line, string(m.field)))
		}
	}
	m.encoding = m.Field("MSH", 2)
	if len(m.encoding) < 4 {
		return Message{}, fmt.Errorf("MSH-2 declares %q; it must name the four encoding characters, commonly ^~\\&", m.encoding)
	}
	return m, nil
}

// Field gives a field of the first segment of that name, raw; "" where there is none. Fields count
// from 1, and MSH-1 is the delimiter itself, so MSH-2 is the first that follows it.
func (m Message) Field(segment string, n int) string {
	for _, s := range m.segments {
		if s[0] != segment {
			continue
		}
		if segment == "MSH" {
			n--
		}
		if n >= 1 && n < len(s) {
			return s[n]
		}
		return ""
	}
	return ""
}

// Component gives a component of a field's first repetition, its escapes resolved. Components count from 1.
func (m Message) Component(segment string, field, n int) string {
	first, _, _ := strings.Cut(m.Field(segment, field), m.encoding[1:2])
	parts := strings.Split(first, m.encoding[0:1])
	if n < 1 || n > len(parts) {
		return ""
	}
	sub, _, _ := strings.Cut(parts[n-1], m.encoding[3:4])
	esc := m.encoding[2:3]
	return strings.NewReplacer(
		esc+"F"+esc, string(m.field),
		esc+"S"+esc, m.encoding[0:1],
		esc+"R"+esc, m.encoding[1:2],
		esc+"E"+esc, esc,
		esc+"T"+esc, m.encoding[3:4],
	).Replace(sub)
}

// Patient is whom a message is about.
type Patient struct {
	ID     string
	Family string
	Given  string
	Born   time.Time // zero where the message does not say
}

// Patient reads the PID segment of an ADT message: PID-3 id, PID-5 name, PID-7 date of birth.
func (m Message) Patient() (Patient, error) {
	if kind := m.Component("MSH", 9, 1); kind != "ADT" {
		return Patient{}, fmt.Errorf("a %s message is not taken here; send ADT", m.Field("MSH", 9))
	}
	p := Patient{
		ID:     strings.TrimSpace(m.Component("PID", 3, 1)),
		Family: strings.TrimSpace(m.Component("PID", 5, 1)),
		Given:  strings.TrimSpace(m.Component("PID", 5, 2)),
	}
	if p.ID == "" {
		return Patient{}, fmt.Errorf("PID-3 holds no patient id")
	}
	if p.Family == "" {
		return Patient{}, fmt.Errorf("PID-5 holds no name")
	}
	if born := m.Component("PID", 7, 1); born != "" {
		if len(born) < 8 {
			return Patient{}, fmt.Errorf("PID-7 holds %q; a date of birth is YYYYMMDD", born)
		}
		day, err := time.Parse("20060102", born[:8])
		if err != nil {
			return Patient{}, fmt.Errorf("PID-7 holds %q; a date of birth is YYYYMMDD", born)
		}
		p.Born = day
	}
	return p, nil
}

// ControlID is MSH-10, by which a sender knows its message's acknowledgement.
func (m Message) ControlID() string { return m.Field("MSH", 10) }

// Acknowledge writes the answer to m: MSA-1 is AA where fault is nil, else AE with the fault's words.
func (m Message) Acknowledge(fault error, now time.Time) []byte {
	code, text := "AA", ""
	if fault != nil {
		code, text = "AE", escape.Replace(fault.Error())
	}
	version := m.Field("MSH", 12)
	if version == "" {
		version = "2.5"
	}
	id := m.ControlID()
	// The answer uses the customary delimiters; what is copied from a message with others may hold them.
	copied := func(s string) string {
		if m.field == '|' && strings.HasPrefix(m.encoding, `^~\&`) {
			return s
		}
		return escape.Replace(s)
	}
	return []byte(strings.Join([]string{
		"MSH", `^~\&`, copied(m.Field("MSH", 5)), copied(m.Field("MSH", 6)), copied(m.Field("MSH", 3)), copied(m.Field("MSH", 4)),
		now.UTC().Format("20060102150405") + "+0000", "",
		"ACK^" + copied(m.Component("MSH", 9, 2)), "ACK" + copied(id), "P", copied(version),
	}, "|") + "\rMSA|" + code + "|" + copied(id) + "|" + text + "\r")
}

var escape = strings.NewReplacer(`\`, `\E\`, "|", `\F\`, "^", `\S\`, "~", `\R\`, "&", `\T\`, "\r", " ", "\n", " ")

// Refuse answers what could not be taken apart, and so has no control id: MSA-1 is AR.
func Refuse(fault error, now time.Time) []byte {
	stamp := now.UTC().Format("20060102150405")
	return []byte(`MSH|^~\&|||||` + stamp + "+0000||ACK|ACK" + stamp + "|P|2.5\rMSA|AR||" + escape.Replace(fault.Error()) + "\r")
}
