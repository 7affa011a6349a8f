package windows

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/fetch"
	"github.com/envctl/envctl/internal/guestproto"
)

// TestFetchedFile brings a file from a web server to a machine: fetched before anything is touched, once, with progress,
// and never shown with its token.
func TestFetchedFile(t *testing.T) {
	content := bytes.Repeat([]byte("installer "), 100_000)
	var served atomic.Value
	served.Store(content)
	var asked atomic.Int32
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Query().Get("token") != "hunter2" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body := served.Load().([]byte)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	defer site.Close()

	h := newHelper(t)
	p := newTestProvider(t, h)
	p.fetch = fetch.New(fetch.Options{Dir: t.TempDir(), Transport: site.Client().Transport.(*http.Transport)}).File
	sum := sha256.Sum256(content)
	to := filepath.Join(t.TempDir(), "out.bin")
	m := machine(guestproto.Layer{Kind: "file", Name: to, File: &guestproto.File{Source: &guestproto.Source{
		URL: site.URL + "/pas.bin?token=hunter2", SHA256: hex.EncodeToString(sum[:]), Name: "pas.bin"}}})
	var l log
	c := change(m, 0)
	if err := p.Prepare(t.Context(), c, l.sink); err != nil {
		t.Fatal(err)
	}
	if h.there.Load() {
		t.Error("the machine was touched")
	}
	if last := l.events[len(l.events)-1]; last.Type != event.Progress || last.Message != "fetch pas.bin" || last.Current != int64(len(content)) || last.Total != last.Current {
		t.Errorf("the last event is %+v", last)
	}
	if err := p.Apply(t.Context(), c, l.sink); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes arrived, %v", len(got), err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}

	// Another file than was planned is noticed before the machine is touched again.
	served.Store([]byte("another"))
	p.fetch = fetch.New(fetch.Options{Dir: t.TempDir(), Transport: site.Client().Transport.(*http.Transport)}).File
	err := p.Prepare(t.Context(), c, l.sink)
	if err == nil || !strings.Contains(err.Error(), hex.EncodeToString(sum[:])) || !strings.Contains(err.Error(), "envctl lock --upgrade "+site.URL+"/pas.bin") {
		t.Errorf("Prepare() = %v", err)
	}
	manifest, readErr := os.ReadFile(filepath.Join(h.dir, "manifest.json"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	for _, e := range l.events {
		manifest = append(manifest, (e.Message + e.Error)...)
	}
	if strings.Contains(string(manifest)+err.Error(), "hunter2") {
		t.Error("the token was shown or kept")
	}
}
