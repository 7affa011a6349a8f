// Package bootstrap has the one PowerShell command that envctl writes: it takes a file
// over stdin and puts it at a path, checked. Everything finer runs in the guest helper,
// which arrives this way.
//
// The command's text is constant. What to write comes on stdin: first the line that
// [Header] gives; then, where the answer's first line begins with "need", lines of
// base64 (see [Line]) of the file compressed with gzip; then the line [End], or the end
// of stdin. The answers are lines that begin with "have", "need" and "ok", each with the
// file's sha256. A failure ends with an exit code other than 0 and words on stderr.
//
// Folders are made, the file is written beside its destination and renamed once its
// sha256 is right.
package bootstrap

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"

	_ "embed"
)

// Answers of the script: the first word of a line, which the sha256 follows.
const (
	Have = "have" // the destination has that content already; nothing more is read
	Need = "need" // send the data
	OK   = "ok"   // written
)

// End is the line after the last of the data.
const End = "."

// LineBytes is how many bytes of data a line may carry. PowerShell turns each into an object, so
// few long lines are faster than many short ones.
const LineBytes = 48 << 10

//go:embed script.ps1
var script string

// Script gives the PowerShell text as it is run: without indentation and line ends that a command
// line has no use for.
func Script() string {
	var lines []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// Command gives the command line, always the same, within the 8,191 characters of cmd.exe.
func Command() string {
	var raw []byte
	for _, u := range utf16.Encode([]rune(Script())) {
		raw = binary.LittleEndian.AppendUint16(raw, u)
	}
	return "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand " + base64.StdEncoding.EncodeToString(raw)
}

// Header gives the first line, without its end, for a file with that sha256 and destination. The
// destination is a Windows path and may have environment variables in it (%ProgramData%).
func Header(sum [32]byte, destination string) (string, error) {
	if strings.ContainsAny(destination, "\r\n") || strings.TrimSpace(destination) != destination || destination == "" {
		return "", fmt.Errorf("%q cannot be a destination", destination)
	}
	return hex.EncodeToString(sum[:]) + " " + destination, nil
}

// Line gives one line of data, without its end.
func Line(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
