// Package blob has file content that is known by its digest before anybody needs it whole: envctl's own programs
// are unpacked when an image is built of them, and not for each plan.
package blob

import (
	"crypto/sha256"
	"encoding/hex"
)

// Blob is a file's content. The zero Blob is no content at all.
type Blob struct {
	// SHA256 is the content's digest, lower-case hex.
	SHA256 string
	open   func() ([]byte, error)
}

// Of gives a Blob of content that is at hand.
func Of(content []byte) Blob {
	sum := sha256.Sum256(content)
	return Lazy(hex.EncodeToString(sum[:]), func() ([]byte, error) { return content, nil })
}

// Lazy gives a Blob whose content open makes, each time that it is asked for. The content must have the digest.
func Lazy(sha256 string, open func() ([]byte, error)) Blob {
	return Blob{SHA256: sha256, open: open}
}

// IsZero reports whether there is no content.
func (b Blob) IsZero() bool { return b.open == nil }

// Bytes gives the content. Nobody may change it.
func (b Blob) Bytes() ([]byte, error) {
	if b.open == nil {
		return nil, nil
	}
	return b.open()
}
