package main

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// site is a web server over TLS, which the envctl of a test trusts.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	asked int
	vars  []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{files: map[string][]byte{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		content, ok := s.files[r.URL.Path]
		s.asked++
		s.mu.Unlock()
		if !ok || r.URL.Query().Get("token") != "hunter2" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}
	if err := os.WriteFile(roots, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	s.vars = []string{"SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + filepath.Join(dir, "none"), "ENVCTL_CACHE_DIR=" + filepath.Join(dir, "cache"), "NO_PROXY=127.0.0.1"}
	return s
}

func (s *site) put(path string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = content
}

func (s *site) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func sumText(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

const remoteSpec = `
environment "remote" {}
windows "pas" {
  source "sandbox" {}
  package "pas" { source = %[1]q }
  file "C:\\pas\\copy.bin" { source = %[1]q }
}
`

// TestRemoteLock locks a file that lies on a web server; a plan of it needs no machine.
func TestRemoteLock(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := []byte("one"), []byte("two")
	s.put("/pas.msi", one)
	e := newContainerEnv(t, s.vars...)
	url := s.URL + "/pas.msi"
	e.write("env.envctl.hcl", fmt.Sprintf(remoteSpec, url+"?token=hunter2"))

	for _, args := range [][]string{{"plan"}, {"up"}, {"plan", "--frozen"}, {"up", "--frozen"}} {
		if _, errs, code := e.run(args...); code != 1 || !strings.Contains(errs, "envctl lock") || !strings.Contains(errs, url) {
			t.Errorf("%s without a sum: exit code %d:\n%s", args, code, errs)
		}
	}
	e.must("validate")
	if n := s.requests(); n != 0 {
		t.Errorf("planning asked %d times", n)
	}
	if out := e.must("lock"); !strings.Contains(out, "+ file "+url+": sha256:"+sumText(one)[:12]) {
		t.Errorf("lock said %q", out)
	}
	e.must("plan", "--frozen")
	e.must("plan", "--json", "--out", "plan.json")
	e.must("lock", "--check")
	if n := s.requests(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}

	// What is locked stays, until it is asked for anew; a sum in the spec beats the lock.
	s.put("/pas.msi", two)
	e.must("lock")
	if lock := e.read("envctl.lock.hcl"); !strings.Contains(lock, sumText(one)) {
		t.Errorf("the lock went along:\n%s", lock)
	}
	if out := e.must("lock", "--upgrade", url); !strings.Contains(out, "~ file "+url) {
		t.Errorf("it said %q", out)
	}
	e.edit("env.envctl.hcl", "/pas.msi", "/nothing.msi")
	if _, errs, code := e.run("lock"); code != 1 || !strings.Contains(errs, "404 Not Found") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
	e.write("env.envctl.hcl", fmt.Sprintf(`
environment "remote" {}
windows "pas" {
  source "sandbox" {}
  package "pas" {
    source = "http://example.com/pas.msi?token=hunter2"
    sha256 = "%s"
  }
}
`, sumText(one)))
	e.must("plan", "--frozen")
	if text := e.seen.String() + e.read("envctl.lock.hcl") + e.read("plan.json"); strings.Contains(text, "hunter2") {
		t.Error("the token was shown")
	}
}

// TestRemoteInstaller installs the quickstart's MSI from a web server into a sandbox.
func TestRemoteInstaller(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := newEnv(t, s.vars...)
	msi, err := os.ReadFile("../../templates/quickstart/installers/pas.msi")
	if err != nil {
		t.Fatal("`make assets` builds the quickstart's installer:", err)
	}
	s.put("/pas.msi", msi)
	s.put("/elsewhere/PAS-7.2.msi", msi)
	spec := func(source string) { e.write("env.envctl.hcl", fmt.Sprintf(remoteSpec, source)) }
	spec(s.URL + "/pas.msi?token=hunter2")
	e.must("lock")
	e.must("up", "--frozen")
	if n := s.requests(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
	if out := e.must("exec", "windows.pas", "--", "cmd", "/c", "dir /b C:\\pas"); !strings.Contains(out, "copy.bin") {
		t.Errorf("on the machine: %q", out)
	}

	// At another URL, and beside the spec, it is the same file: nothing to do.
	spec(s.URL + "/elsewhere/PAS-7.2.msi?token=hunter2")
	e.must("lock", "--upgrade")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("the same file elsewhere: %+v", c)
	}
	e.write("pas.msi", string(msi))
	spec("pas.msi")
	e.must("lock", "--upgrade")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("the same file here: %+v", c)
	}
	if strings.Contains(e.seen.String(), "hunter2") {
		t.Error("the token was shown")
	}
}
