package guestproto

import (
	"crypto/sha256"
	"encoding/hex"
)

// longest is how much a plan shows of a value as it is.
const longest = 48

// Shown gives a value that is no secret as a plan has it: as it is, or where it is long as its digest.
func Shown(text string) string {
	if len(text) > longest {
		return Digest(text)
	}
	return text
}

// Digest gives enough of a value's SHA-256 to tell it from another.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:6])
}
