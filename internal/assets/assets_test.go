package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
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

func TestLoadUnpacksWhenAsked(t *testing.T) {
	raw := []byte("MZ, an executable")
	files := fstest.MapFS{
		"files/envctl-node-amd64.gz":     {Data: pack(t, raw)},
		"files/envctl-node-amd64.sha256": {Data: []byte("0123\n")},
	}
	h, err := load(files, "envctl-node-amd64")
	if err != nil {
		t.Fatal(err)
	}
	if h.Raw.SHA256 != "0123" {
		t.Errorf("SHA256 = %q", h.Raw.SHA256)
	}
	if got, err := h.Raw.Bytes(); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("Raw = %q, %v, want %q", got, err, raw)
	}
}

func TestWhatIsEmbeddedHasItsDigest(t *testing.T) {
	for _, name := range []string{"envctl-guest-amd64.exe", "envctl-guest-arm64.exe", "envctl-node-amd64", "envctl-node-arm64"} {
		h, err := load(embedded, name)
		if errors.Is(err, ErrMissing) && os.Getenv("ENVCTL_TEST_REQUIRE") == "" {
			t.Skip("the helpers are not built; `make assets` builds them")
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := h.Raw.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(raw)
		if want := hex.EncodeToString(sum[:]); h.Raw.SHA256 != want {
			t.Errorf("%s: SHA256 = %s, want %s", name, h.Raw.SHA256, want)
		}
	}
}

func TestLoadRefusesACutHelper(t *testing.T) {
	packed := pack(t, bytes.Repeat([]byte("envctl"), 1000))
	files := fstest.MapFS{
		"files/envctl-node-amd64.gz":     {Data: packed[:len(packed)-5]},
		"files/envctl-node-amd64.sha256": {Data: []byte("0123\n")},
	}
	h, err := load(files, "envctl-node-amd64")
	if err == nil {
		_, err = h.Raw.Bytes()
	}
	if err == nil {
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
