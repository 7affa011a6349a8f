package winrm

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
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
	"time"

	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/secret"
)

// pipeStarter runs one program for every command line: it gives back what it reads. "sink" reads only,
// "source" writes only, until it is killed.
type pipeStarter struct{}

type pipeProcess struct {
	inR, outR, errR *io.PipeReader
	inW, outW, errW *io.PipeWriter
	done            chan struct{}
}

func (pipeStarter) Start(_ context.Context, spec sandbox.CommandSpec) (sandbox.Process, error) {
	p := &pipeProcess{done: make(chan struct{})}
	p.inR, p.inW = io.Pipe()
	p.outR, p.outW = io.Pipe()
	p.errR, p.errW = io.Pipe()
	go func() {
		defer close(p.done)
		switch spec.Line {
		case "sink":
			_, _ = io.Copy(io.Discard, p.inR)
		case "source":
			for block := make([]byte, 64<<10); ; {
				if _, err := p.outW.Write(block); err != nil {
					break
				}
			}
		default:
			_, _ = io.CopyBuffer(struct{ io.Writer }{p.outW}, struct{ io.Reader }{p.inR}, make([]byte, 64<<10))
		}
		_ = p.outW.Close()
		_ = p.errW.Close()
	}()
	return p, nil
}

func (p *pipeProcess) Stdin() io.WriteCloser { return p.inW }
func (p *pipeProcess) Stdout() io.ReadCloser { return p.outR }
func (p *pipeProcess) Stderr() io.ReadCloser { return p.errR }
func (p *pipeProcess) Wait() (uint32, error) { <-p.done; return 0, nil }
func (p *pipeProcess) Kill() {
	_ = p.inR.CloseWithError(io.ErrClosedPipe)
	_ = p.outW.CloseWithError(io.ErrClosedPipe)
	_ = p.outR.CloseWithError(io.ErrClosedPipe)
	_ = p.errR.Close()
}
func (p *pipeProcess) Close() {}

// stand is the sandbox's server in this process.
type stand struct {
	*sandbox.Server
	cfg Config
}

// newStand serves over TLS or not; between may put itself between the network and the server.
func newStand(t testing.TB, https bool, between func(http.Handler) http.Handler) *stand {
	t.Helper()
	const password = "Pä$$wörd 1"
	s, err := sandbox.NewServer(sandbox.Options{User: "Administrator", Password: password, Starter: pipeStarter{}})
	if err != nil {
		t.Fatal(err)
	}
	hs := s.HTTPServer()
	if between != nil {
		hs.Handler = between(hs.Handler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "Administrator",
		Password: secret.Text{Value: password, Sensitive: true}, CleanupTimeout: time.Second}
	if https {
		certPEM, keyPEM, fingerprint, err := sandbox.NewCertificate("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		cfg.HTTPS, cfg.Fingerprint = true, fingerprint
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	over := make(chan struct{})
	go func() { defer close(over); _ = hs.Serve(l) }()
	t.Cleanup(func() { s.CloseShells(); _ = hs.Close(); <-over })
	return &stand{Server: s, cfg: cfg}
}

func (s *stand) client(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := s.cfg
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *stand) command(t testing.TB, line string) (*Shell, *Command) {
	t.Helper()
	shell, err := s.client(t, nil).Shell(t.Context(), ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := shell.Start(t.Context(), line, CommandOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return shell, cmd
}

var ways = map[string]struct {
	https  bool
	change func(*Config)
}{
	"NTLM over HTTPS":  {true, nil},
	"Basic over HTTPS": {true, func(c *Config) { c.Auth = Basic }},
	"NTLM sealed":      {false, nil},
}

func TestEveryWayCarriesEveryByte(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, way.https, nil)
			c := s.client(t, way.change)
			shell, err := c.Shell(t.Context(), ShellOptions{})
			if err != nil {
				t.Fatal(err)
			}
			cmd, err := shell.Start(t.Context(), "echo", CommandOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := make([]byte, 4<<20)
			_, _ = rand.Read(want)
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := cmd.Stdin().Write(want); err != nil {
					t.Errorf("write: %v", err)
				}
				if err := cmd.Stdin().Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			got, err := io.ReadAll(cmd.Stdout())
			wg.Wait()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d of %d bytes, or they differ; %v", len(got), len(want), err)
			}
			if code, err := cmd.Wait(); code != 0 || err != nil {
				t.Errorf("ended with %d, %v", code, err)
			}
			if err := shell.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWrongPasswordIsToldFromEverythingElse(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, way.https, nil)
			_, err := s.client(t, func(c *Config) {
				if way.change != nil {
					way.change(c)
				}
				c.Password = secret.Plain("wrong")
			}).Identify(t.Context())
			var auth *AuthError
			if !errors.As(err, &auth) || !strings.Contains(err.Error(), "check user and password") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTrap2AMachineThatLosesItsShellsEndsTheCommand(t *testing.T) {
	s := newStand(t, true, nil)
	_, cmd := s.command(t, "echo")
	s.CloseShells()
	select {
	case <-cmd.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting")
	}
	if _, err := cmd.Wait(); !errors.Is(err, ErrShellNotFound) && !errors.Is(err, ErrAborted) {
		t.Errorf("got %v", err)
	}
}

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

func TestTrap7TheServersEnvelopeLimitIsKept(t *testing.T) {
	s := newStand(t, true, nil)
	_, cmd := s.command(t, "sink")
	if _, err := cmd.Stdin().Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Stdin().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		t.Error(err)
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
