package winrm

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// listener sees what crosses the network, after TLS.
type listener struct {
	next  http.Handler
	mu    sync.Mutex
	auths int
	clear []string // SOAP that came unsealed
	answ  func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	l.mu.Lock()
	if r.Header.Get("Authorization") != "" {
		l.auths++
	}
	if bytes.Contains(body, []byte("Envelope")) {
		l.clear = append(l.clear, string(body))
	}
	l.mu.Unlock()
	if l.answ != nil {
		l.answ(w, r, l.next)
		return
	}
	l.next.ServeHTTP(w, r)
}

// isLast reports whether the request carries NTLM's last message.
func isLast(r *http.Request) bool {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	b, _ := base64.StdEncoding.DecodeString(token)
	return len(b) > 8 && b[8] == 3
}

func TestTrap5SealingNeverFallsBack(t *testing.T) {
	record := func(w http.ResponseWriter, r *http.Request, next http.Handler, change func(*httptest.ResponseRecorder)) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		change(rec)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}
	inTheClear := ok("http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse", `<r:Shell><r:ShellId>S1</r:ShellId></r:Shell>`).body
	for name, tt := range map[string]struct {
		answ func(w http.ResponseWriter, r *http.Request, next http.Handler)
		want string
	}{
		"the handshake ends with 503": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if isLast(r) {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		}, "503"},
		"the handshake begins with 503": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "503"},
		"anybody is let in": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusOK)
		}, "status 200"},
		"only Basic is offered": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "offers only Basic"},
		"it will not seal": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			record(w, r, next, func(rec *httptest.ResponseRecorder) {
				scheme, token, _ := strings.Cut(rec.Header().Get("WWW-Authenticate"), " ")
				if b, _ := base64.StdEncoding.DecodeString(token); len(b) > 24 {
					b[20] &^= 0x20
					rec.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(b))
				}
			})
		}, "will not seal"},
		"it answers in the clear": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/encrypted") {
				w.Header().Set("Content-Type", soapContentType)
				_, _ = io.WriteString(w, inTheClear)
				return
			}
			next.ServeHTTP(w, r)
		}, "in the clear"},
		"its answer is changed on the way": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			record(w, r, next, func(rec *httptest.ResponseRecorder) {
				if b := rec.Body.Bytes(); len(b) > 300 {
					b[len(b)-100] ^= 1
				}
			})
		}, "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &listener{answ: tt.answ}
			s := newStand(t, false, func(h http.Handler) http.Handler { l.next = h; return l })
			_, err := s.client(t, nil).Shell(t.Context(), ShellOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(l.clear) > 0 {
				t.Errorf("SOAP was sent in the clear: %s", l.clear[0])
			}
		})
	}
}

func TestTrap11EachConnectionIsAuthenticatedOnce(t *testing.T) {
	l := &listener{}
	s := newStand(t, false, func(h http.Handler) http.Handler { l.next = h; return l })
	shell, cmd := s.command(t, "echo")
	buf := make([]byte, 5)
	for range 20 {
		if _, err := cmd.Stdin().Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(cmd.Stdout(), buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := shell.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Closing ends a long poll, whose connection is made anew.
	if l.auths < 4 || l.auths > 8 {
		t.Errorf("%d messages with authentication, want 2 for each of two or three connections", l.auths)
	}
	if len(l.clear) > 0 {
		t.Error("SOAP was sent in the clear")
	}
}

func TestTrap11ALostAnswerMeansANewHandshake(t *testing.T) {
	var cut atomic.Bool
	l := &listener{}
	l.answ = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if cut.CompareAndSwap(true, false) {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	}
	s := newStand(t, false, func(h http.Handler) http.Handler { l.next = h; return l })
	c := s.client(t, nil)
	if _, err := c.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	if _, err := c.Identify(t.Context()); !errors.Is(err, ErrLostAnswer) {
		t.Errorf("got %v", err)
	}
	before := l.auths
	if _, err := c.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.auths != before+2 {
		t.Errorf("%d messages with authentication, want 2", l.auths-before)
	}
}

// A machine with CbtHardeningLevel=Strict lets nobody in whose NTLM does not name its certificate.
func TestNTLMIsBoundToTheTLSConnection(t *testing.T) {
	var last []byte
	l := &listener{}
	l.answ = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isLast(r) {
			_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			last, _ = base64.StdEncoding.DecodeString(token)
		}
		next.ServeHTTP(w, r)
	}
	s := newStand(t, true, func(h http.Handler) http.Handler { l.next = h; return l })
	var cert []byte
	probe, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.cfg.Port)), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	cert = probe.ConnectionState().PeerCertificates[0].Raw
	_ = probe.Close()
	if _, err := s.client(t, nil).Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	// RFC 2744 3.11 over RFC 5929 4.1: no addresses, the certificate's SHA-256 as application data.
	sum := sha256.Sum256(cert)
	data := append([]byte("tls-server-end-point:"), sum[:]...)
	bindings := append(make([]byte, 16), binary.LittleEndian.AppendUint32(nil, uint32(len(data)))...)
	want := md5.Sum(append(bindings, data...))
	if got := avPair(last, 10); !bytes.Equal(got, want[:]) {
		t.Errorf("channel bindings %x, want %x", got, want)
	}
}

// avPair gives one attribute of an AUTHENTICATE_MESSAGE's NTLMv2 response ([MS-NLMP] 2.2.2.7).
func avPair(message []byte, id uint16) []byte {
	le := binary.LittleEndian
	n, at := le.Uint16(message[20:]), le.Uint32(message[24:])
	for pairs := message[at : at+uint32(n)][16+28:]; len(pairs) >= 4 && le.Uint16(pairs) != 0; {
		size := le.Uint16(pairs[2:])
		if le.Uint16(pairs) == id {
			return pairs[4 : 4+size]
		}
		pairs = pairs[4+size:]
	}
	return nil
}
