package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	content = bytes.Repeat([]byte("what an installer is made of\n"), 40_000)
	sum     = sumOfBytes(content)
)

func sumOfBytes(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// site is a TLS server, and a cache that trusts it and does not wait between attempts.
type site struct {
	*httptest.Server
	cache  *Cache
	asked  atomic.Int32
	paused []time.Duration
}

func newSite(t *testing.T, answer http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	s.cache = cacheFor(t, s)
	return s
}

func cacheFor(t *testing.T, s *site) *Cache {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	transport, err := (*egress.Settings)(nil).Transport()
	if err != nil {
		t.Fatal(err)
	}
	transport.TLSClientConfig.RootCAs = roots
	c := New(Options{Dir: t.TempDir(), Transport: transport})
	c.pause = func(_ context.Context, d time.Duration) error { s.paused = append(s.paused, d); return nil }
	return c
}

func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "pas.msi", time.Time{}, bytes.NewReader(content))
}

// cut answers and breaks the connection off after n bytes.
func cut(w http.ResponseWriter, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content[:n])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (s *site) file(t *testing.T) (string, error) {
	t.Helper()
	return s.cache.File(t.Context(), s.URL+"/pas.msi?token=hunter2", sum, nil)
}

func (s *site) wantFile(t *testing.T) {
	t.Helper()
	path, err := s.file(t)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// left lists what is in the cache besides whole files.
func (s *site) left(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.cache.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if len(e.Name()) != 64 {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestOnceOnly(t *testing.T) {
	s := newSite(t, serve)
	var last, total int64
	for range 2 {
		path, err := s.cache.File(t.Context(), s.URL+"/pas.msi", sum, func(c, n int64) { last, total = c, n })
		if err != nil || filepath.Base(path) != sum {
			t.Fatal(path, err)
		}
	}
	if s.asked.Load() != 1 || last != int64(len(content)) || total != last {
		t.Errorf("asked %d times, told %d of %d", s.asked.Load(), last, total)
	}
	if left := s.left(t); left != nil {
		t.Errorf("left: %q", left)
	}
}

func TestManyAtOnceFetchOnce(t *testing.T) {
	s := newSite(t, serve)
	other := New(Options{Dir: s.cache.dir, Transport: http.DefaultTransport.(*http.Transport)}) // as another process has it
	other.client = s.cache.client
	var wait sync.WaitGroup
	for _, c := range []*Cache{s.cache, s.cache, other, other} {
		wait.Go(func() {
			if _, err := c.File(t.Context(), s.URL+"/pas.msi", sum, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestDamagedInCache(t *testing.T) {
	s := newSite(t, serve)
	if err := os.WriteFile(filepath.Join(s.cache.dir, sum), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.wantFile(t)
}

func TestSum(t *testing.T) {
	s := newSite(t, serve)
	got, err := s.cache.Sum(t.Context(), s.URL+"/pas.msi", nil)
	if err != nil || got != sum {
		t.Fatal(got, err)
	}
	s.wantFile(t)
	if s.asked.Load() != 1 || s.left(t) != nil {
		t.Errorf("asked %d times, left %q", s.asked.Load(), s.left(t))
	}
}

func TestGoesOn(t *testing.T) {
	for name, etag := range map[string]string{"with an ETag": `"one"`, "without": ""} {
		t.Run(name, func(t *testing.T) {
			var ranges []string
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				ranges = append(ranges, r.Header.Get("Range"))
				if etag != "" {
					w.Header().Set("ETag", etag)
				}
				if len(ranges) == 1 {
					cut(w, 300_000)
				}
				serve(w, r)
			})
			s.wantFile(t)
			if len(ranges) != 2 || !strings.HasPrefix(ranges[1], "bytes=") || ranges[1] == "bytes=0-" {
				t.Errorf("asked for %q", ranges)
			}
		})
	}
	t.Run("in the next run", func(t *testing.T) {
		var second string
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) { second = r.Header.Get("Range"); serve(w, r) })
		if err := os.WriteFile(filepath.Join(s.cache.dir, sum+".part"), content[:1000], 0o600); err != nil {
			t.Fatal(err)
		}
		s.wantFile(t)
		if second != "bytes=1000-" {
			t.Errorf("asked for %q", second)
		}
	})
	t.Run("all of it was there", func(t *testing.T) {
		s := newSite(t, serve)
		if err := os.WriteFile(filepath.Join(s.cache.dir, sum+".part"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		s.wantFile(t)
	})
	t.Run("with pieces of another file, from the start", func(t *testing.T) {
		s := newSite(t, serve)
		if err := os.WriteFile(filepath.Join(s.cache.dir, sum+".part"), []byte("another file"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.wantFile(t)
	})
	t.Run("of an unknown sum only with the server's word", func(t *testing.T) {
		var ranges []string
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			if ranges = append(ranges, r.Header.Get("Range")); len(ranges) == 1 {
				cut(w, 300_000)
			}
			serve(w, r)
		})
		if got, err := s.cache.Sum(t.Context(), s.URL, nil); err != nil || got != sum || ranges[1] != "" {
			t.Errorf("%s, %v, asked for %q", got, err, ranges)
		}
	})
	t.Run("where the server cannot, from the start", func(t *testing.T) {
		s := newSite(t, nil)
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if s.asked.Add(1) == 1 {
				cut(w, 300_000)
			}
			_, _ = w.Write(content)
		})
		s.wantFile(t)
	})
}

func TestTriesAgain(t *testing.T) {
	s := newSite(t, nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch s.asked.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		default:
			serve(w, r)
		}
	})
	s.wantFile(t)
	if len(s.paused) != 2 || s.paused[0] != 7*time.Second || s.paused[1] <= s.paused[0] {
		t.Errorf("waited %v", s.paused)
	}
}

func TestFailures(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		asked  int32
		want   string
	}{
		"not found":            {status(404), 1, "404 Not Found: see whether the file has moved"},
		"forbidden":            {status(403), 1, "403 Forbidden: it wants to know who asks"},
		"it never gets better": {status(500), attempts, "500 Internal Server Error (tried 6 times; run again to go on)"},
		"cut each time":        {func(w http.ResponseWriter, _ *http.Request) { cut(w, 10) }, attempts, "the connection ended after 10 bytes"},
		"round and round": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
			maxRedirects + 1, "more than 10 redirects"},
		"led into the open": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.com/pas.msi?token=hunter2", http.StatusFound)
		}, 1, "from HTTPS to an open connection, at example.com"},
		"led to nonsense": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://exa mple/?token=hunter2")
			w.WriteHeader(http.StatusFound)
		}, 1, "leads to what is no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.answer)
			_, err := s.file(t)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.URL+"/pas.msi") {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the token is in the error: %v", err)
			}
			if n := s.asked.Load(); n != c.asked {
				t.Errorf("asked %d times", n)
			}
		})
	}
	t.Run("another file", func(t *testing.T) {
		s := newSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "another") })
		_, err := s.file(t)
		var m *MismatchError
		if !errors.As(err, &m) || m.Want != sum || m.Got != sumOfBytes([]byte("another")) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
		if left := s.left(t); left != nil {
			t.Errorf("left: %q", left)
		}
	})
	t.Run("a certificate of nobody", func(t *testing.T) {
		s := newSite(t, serve)
		s.Config.ErrorLog = nil
		s.cache = New(Options{Dir: t.TempDir(), Transport: http.DefaultTransport.(*http.Transport), Remedy: "name its CA"})
		_, err := s.file(t)
		for _, want := range []string{"certificate is not trusted", "inspects TLS may be in between", `issued by "O=Acme Co"`, "name its CA"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing from: %v", want, err)
			}
		}
	})
	t.Run("no TLS there", func(t *testing.T) {
		s := newSite(t, serve)
		plain := httptest.NewServer(http.HandlerFunc(serve))
		defer plain.Close()
		_, err := s.cache.File(t.Context(), strings.Replace(plain.URL, "http:", "https:", 1), sum, nil)
		if err == nil || !strings.Contains(err.Error(), "no TLS with this server") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		s := newSite(t, serve)
		s.Close()
		if _, err := s.file(t); err == nil || !strings.Contains(err.Error(), "connection refused") || len(s.paused) != attempts-1 {
			t.Errorf("error %v after %d pauses", err, len(s.paused))
		}
	})
}

// TestSilence: a server that stops in the middle is given up, and so is one when the caller goes.
func TestSilence(t *testing.T) {
	began, over := make(chan struct{}, attempts), make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content[:10])
		_ = http.NewResponseController(w).Flush()
		began <- struct{}{}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	defer close(over)
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-began; cancel(errors.New("enough")) }()
		if _, err := s.cache.File(ctx, s.URL, sum, nil); err == nil || !strings.Contains(err.Error(), "enough") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("idle", func(t *testing.T) {
		s.cache.idle = 30 * time.Millisecond
		if _, err := s.cache.File(t.Context(), s.URL, sum, nil); err == nil || !strings.Contains(err.Error(), "said nothing") {
			t.Errorf("error %v", err)
		}
	})
}

// TestProxy goes through a proxy that wants a password, to a host that only the proxy reaches. That no password is in
// what is said when it is wrong is seen too.
func TestProxy(t *testing.T) {
	s := newSite(t, serve)
	var through atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through.Store(r.Method + " " + r.Host)
		if r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		up, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		w.WriteHeader(http.StatusOK)
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer down.Close()
		done := make(chan struct{})
		go func() { defer close(done); _, _ = io.Copy(up, down); _ = up.(*net.TCPConn).CloseWrite() }()
		_, _ = io.Copy(down, up)
		_ = down.Close()
		<-done
	}))
	defer proxy.Close()
	t.Setenv("NO_PROXY", "")
	t.Setenv("HTTPS_PROXY", strings.Replace(proxy.URL, "://", "://ana:hunter2@", 1))
	if _, err := cacheFor(t, s).File(t.Context(), "https://example.com/pas.msi", sum, nil); err != nil {
		t.Fatal(err)
	}
	if got := through.Load(); got != "CONNECT example.com:443" {
		t.Errorf("the proxy saw %v", got)
	}
	for _, address := range []string{proxy.URL, "http://ana:hunter2@127.0.0.1:1", "http://ana:hunter2@[::bad"} {
		t.Setenv("HTTPS_PROXY", address)
		_, err := cacheFor(t, s).File(t.Context(), "https://example.com/pas.msi", sum, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", address, err)
		}
	}
}

// TestRefererIsNotSent: the server that a URL with a token leads to does not learn it.
func TestRefererIsNotSent(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/elsewhere" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		if got := r.Header.Get("Referer"); got != "" {
			t.Errorf("referer %q", got)
		}
		serve(w, r)
	})
	s.wantFile(t)
}
