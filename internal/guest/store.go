package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
)

func (m *Machine) manifestFile() string { return filepath.Join(m.Dir, "manifest.json") }

// readManifest gives nil where the machine has none.
func (m *Machine) readManifest() (*guestproto.Manifest, error) {
	b, err := os.ReadFile(m.manifestFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var man guestproto.Manifest
	if err := json.Unmarshal(b, &man); err != nil {
		return nil, fmt.Errorf("read the manifest %s: %w; it was not written by envctl: move it away", m.manifestFile(), err)
	}
	if man.Version > guestproto.Version {
		return nil, fmt.Errorf("the manifest %s was written by a newer envctl (format %d, this one knows %d): upgrade envctl",
			m.manifestFile(), man.Version, guestproto.Version)
	}
	return &man, nil
}

func (m *Machine) writeManifest(man *guestproto.Manifest) error {
	man.Version = guestproto.Version
	b, err := json.MarshalIndent(man, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFileAtomic(m.manifestFile(), b); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	return nil
}

// recordFile is named for the layer and the stack under it, both of which the hash covers.
func (m *Machine) recordFile(id, hash string) string {
	sum := sha256.Sum256([]byte(id + "\x00" + hash))
	return filepath.Join(m.Dir, "layers", hex.EncodeToString(sum[:16])+".sealed")
}

func (m *Machine) writeRecord(file string, r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sealed, err := m.seal(b)
	if err != nil {
		return fmt.Errorf("seal what was there before: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return writeFileAtomic(file, sealed)
}

// readRecord gives an empty record where there is none: then nothing was changed.
func (m *Machine) readRecord(file string) (record, error) {
	var r record
	sealed, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	b, err := m.unseal(sealed)
	if err != nil {
		return r, fmt.Errorf("unseal %s: %w; was it copied from another machine?", file, err)
	}
	return r, json.Unmarshal(b, &r)
}

// writeFileAtomic leaves the old file or the new one, whatever happens in between.
func writeFileAtomic(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return replaceFile(tmp.Name(), path)
}

// replaceFile renames over a file that something else (a scanner, a reader of ours) may hold open
// for a moment, which Windows answers with a refusal.
func replaceFile(from, to string) error {
	deadline := time.Now().Add(5 * time.Second)
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		err := os.Rename(from, to)
		if err == nil || !errors.Is(err, fs.ErrPermission) && !isSharingViolation(err) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(wait)
	}
}

func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func isHex(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

func textSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
