package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func pack(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoadGivesDigestOfTheUncompressed(t *testing.T) {
	raw := []byte("MZ, an executable")
	files := fstest.MapFS{"files/envctl-node-amd64.gz": {Data: pack(t, raw)}}
	h, err := load(files, "envctl-node-amd64")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	if want := hex.EncodeToString(sum[:]); h.SHA256 != want {
		t.Errorf("SHA256 = %s, want %s", h.SHA256, want)
	}
	if !bytes.Equal(h.Raw, raw) {
		t.Errorf("Raw = %q, want %q", h.Raw, raw)
	}
}

func TestLoadRefusesACutHelper(t *testing.T) {
	packed := pack(t, bytes.Repeat([]byte("envctl"), 1000))
	files := fstest.MapFS{"files/envctl-node-amd64.gz": {Data: packed[:len(packed)-5]}}
	if _, err := load(files, "envctl-node-amd64"); err == nil {
		t.Fatal("a truncated helper was taken for whole")
	}
}

func TestMissingNamesMake(t *testing.T) {
	for name, ask := range map[string]func(string) (Helper, error){"guest": Guest, "node": Node} {
		t.Run(name, func(t *testing.T) {
			_, err := ask("mips")
			if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "make build") {
				t.Errorf("got %v, want ErrMissing that names `make build`", err)
			}
		})
	}
}
