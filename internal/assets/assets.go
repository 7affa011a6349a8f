// Package assets holds the two helpers that travel inside envctl, compressed: the one that runs on
// Windows and the one that runs in envctl's own containers. `make build` puts them into the folder
// files before it builds envctl. A binary that was built without them (go install, go vet) works for
// all that needs no machine, and says what it lacks when it is asked for one.
package assets

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/envctl/envctl/internal/blob"
)

//go:embed all:files
var embedded embed.FS

// ErrMissing is wrapped by the errors of Guest and Node when this binary was built without its helpers.
var ErrMissing = errors.New("this envctl was built without its helpers")

// Helper is one executable for one architecture. What is only named by its digest, as in a plan, is not read.
type Helper struct {
	// Gzip gives the executable as it travels.
	Gzip func() ([]byte, error)
	// Raw is the executable itself, unpacked when it is asked for.
	Raw blob.Blob
}

// Guest gives the Windows helper for an architecture by Go's name, "amd64" or "arm64".
func Guest(arch string) (Helper, error) { return load(embedded, "envctl-guest-"+arch+".exe") }

// Node gives the Linux helper for an architecture by Go's name, "amd64" or "arm64".
func Node(arch string) (Helper, error) { return load(embedded, "envctl-node-"+arch) }

// unpack uncompresses a helper in one go: its format ends with how long it is, modulo 2^32 (RFC 1952, 2.3.1).
func unpack(packed []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	if size := binary.LittleEndian.Uint32(packed[len(packed)-4:]); size <= largest {
		raw.Grow(int(size) + bytes.MinRead)
	}
	if _, err := raw.ReadFrom(zr); err != nil {
		return nil, err
	}
	return raw.Bytes(), nil
}

// largest is what a helper's stated length is believed up to, in bytes.
const largest = 64 << 20

func load(files fs.FS, name string) (Helper, error) {
	_, err := fs.Stat(files, "files/"+name+".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return Helper{}, fmt.Errorf("%w: %s is not in it; get a released envctl, or run `make build` in its source folder and use bin/envctl", ErrMissing, name)
	}
	if err != nil {
		return Helper{}, fmt.Errorf("read the helper %s: %w", name, err)
	}
	sum, err := fs.ReadFile(files, "files/"+name+".sha256")
	if err != nil {
		return Helper{}, fmt.Errorf("read the digest of the helper %s: %w", name, err)
	}
	packed := func() ([]byte, error) { return fs.ReadFile(files, "files/"+name+".gz") }
	return Helper{Gzip: packed, Raw: blob.Lazy(strings.TrimSpace(string(sum)), func() ([]byte, error) {
		gz, err := packed()
		if err != nil {
			return nil, fmt.Errorf("read the helper %s: %w", name, err)
		}
		raw, err := unpack(gz)
		if err != nil {
			return nil, fmt.Errorf("uncompress the helper %s: %w", name, err)
		}
		return raw, nil
	})}, nil
}
