package hl7

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

const admit = "MSH|^~\\&|LAB|NORTH|PAS|RIVER|20260101||ADT^A28|C-77|P|2.5.1\rEVN|A28\rPID|1||2001^^^PAS~77^^^NHS||O\\T\\Hara^Marie^X||18671107|F\r"

func TestPatient(t *testing.T) {
	born := time.Date(1867, 11, 7, 0, 0, 0, 0, time.UTC)
	whole := Patient{ID: "2001", Family: "O&Hara", Given: "Marie", Born: born}
	for _, c := range []struct {
		name, message string
		want          Patient
		fault         string
	}{
		{"first repetition, first component, escapes resolved", admit, whole, ""},
		{"line feeds between segments", strings.ReplaceAll(admit, "\r", "\n"), whole, ""},
		{"carriage returns and line feeds", strings.ReplaceAll(admit, "\r", "\r\n"), whole, ""},
		{"delimiters of its own", "MSH#*~!@#A#B#C#D###ADT*A04#9\rPID#1##7**x##Day*Doris\r", Patient{ID: "7", Family: "Day", Given: "Doris"}, ""},
		{"latin-1", "MSH|^~\\&|||||||ADT^A04|9\rPID|||7||M\xfcller^J\xf6rg\r", Patient{ID: "7", Family: "Müller", Given: "Jörg"}, ""},
		{"a date with a time", "MSH|^~\\&|||||||ADT^A04|9\rPID|||7||Day||18671107123000\r", Patient{ID: "7", Family: "Day", Born: born}, ""},
		{"no id", "MSH|^~\\&|||||||ADT^A04|9\rPID|||||Day\r", Patient{}, "PID-3"},
		{"no PID segment", "MSH|^~\\&|||||||ADT^A04|9\r", Patient{}, "PID-3"},
		{"no name", "MSH|^~\\&|||||||ADT^A04|9\rPID|||7\r", Patient{}, "PID-5"},
		{"no such day", "MSH|^~\\&|||||||ADT^A04|9\rPID|||7||Day||18671399\r", Patient{}, "PID-7"},
		{"a date too short", "MSH|^~\\&|||||||ADT^A04|9\rPID|||7||Day||1867\r", Patient{}, "PID-7"},
		{"not ADT", "MSH|^~\\&|||||||ORU^R01|9\rPID|||7||Day\r", Patient{}, "ORU^R01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse([]byte(c.message))
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Patient()
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("got %v, want an error that names %s", err, c.fault)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":                "",
		"another segment first":  "PID|1||2001\r",
		"no encoding characters": "MSH|^~|LAB\r",
		"cut in the header":      "MSH|^~",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(raw)); err == nil {
				t.Errorf("%q was taken", raw)
			}
		})
	}
}

func TestAcknowledge(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m, err := Parse([]byte(admit))
	if err != nil {
		t.Fatal(err)
	}
	got := string(m.Acknowledge(nil, now))
	want := "MSH|^~\\&|PAS|RIVER|LAB|NORTH|20260102030405+0000||ACK^A28|ACKC-77|P|2.5.1\rMSA|AA|C-77|\r"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got = string(m.Acknowledge(errors.New("a|b\rc"), now))
	if !strings.HasSuffix(got, "\rMSA|AE|C-77|a\\F\\b c\r") {
		t.Errorf("a fault reads %q", got)
	}
	ack, err := Parse([]byte(got))
	if err != nil || ack.Component("MSA", 3, 1) != "a|b c" {
		t.Errorf("read back: %q, %v", ack.Component("MSA", 3, 1), err)
	}
}

func TestBlocks(t *testing.T) {
	var wire bytes.Buffer
	for _, m := range []string{"one", "", "t\x1cwo"} {
		if err := WriteBlock(&wire, []byte(m)); err != nil {
			t.Fatal(err)
		}
		wire.WriteString("\r\n") // what stands between blocks is skipped
	}
	r := bufio.NewReader(&wire)
	for _, want := range []string{"one", "", "t\x1cwo"} {
		got, err := ReadBlock(r)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := ReadBlock(r); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestReadBlockBounds(t *testing.T) {
	cut := bufio.NewReader(strings.NewReader("\x0bMSH|half"))
	if _, err := ReadBlock(cut); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut block: %v, want io.ErrUnexpectedEOF", err)
	}
	endless := bufio.NewReader(io.MultiReader(strings.NewReader("\x0b"), bytes.NewReader(make([]byte, MaxMessage+1))))
	if _, err := ReadBlock(endless); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a block without end: %v, want the limit's error", err)
	}
}
