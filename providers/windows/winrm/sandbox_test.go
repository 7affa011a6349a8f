package winrm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
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
