package docker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/providers"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	_, a.cert, a.key = a.make(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) make(template *x509.Certificate) (der []byte, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err == nil {
		cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return der, cert, key
}

// server is the certificate of an engine on loopback.
func (a *authority) server() tls.Certificate {
	der, _, key := a.make(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// write puts what a client needs into dir: ca.pem, cert.pem and key.pem.
func (a *authority) write(dir string) string {
	a.t.Helper()
	der, _, key := a.make(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	keyDER, err := x509.MarshalECPrivateKey(key)
	err = errors.Join(err, os.MkdirAll(dir, 0o700))
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: a.cert.Raw}, "cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return dir
}

// behindTLS puts TLS before the engine that tests run against, or with nil nothing but TCP, and gives its address.
func behindTLS(t *testing.T, config *tls.Config) string {
	t.Helper()
	socket, ok := strings.CutPrefix(engine(t, Options{}).endpoint.host, "unix://")
	if !ok {
		t.Skip("this test needs an engine on a socket")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + l.Addr().String()
	if config != nil {
		l = tls.NewListener(l, config)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { pass(c, socket) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return address
}

func pass(c net.Conn, socket string) {
	defer c.Close()
	if c, ok := c.(*tls.Conn); ok {
		plain, isPlain := errors.AsType[tls.RecordHeaderError](c.Handshake())
		if isPlain && plain.Conn != nil { // as the engine's own server answers
			_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
			return
		}
	}
	to, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer to.Close()
	one := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // who asked sees what is missing
		_ = to.(interface{ CloseWrite() error }).CloseWrite()
	}
	var wg sync.WaitGroup
	wg.Go(func() { one(to, c) })
	one(c, to)
	wg.Wait()
}

func TestAnEngineBehindTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	host := behindTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.server()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	certs, foreign := ours.write(t.TempDir()), theirs.write(t.TempDir())
	with := func(config string, vars ...string) Options {
		return Options{ConfigDir: config, Getenv: func(k string) string {
			for _, v := range vars {
				if name, value, _ := strings.Cut(v, "="); name == k {
					return value
				}
			}
			return ""
		}}
	}
	verify, skip := "DOCKER_TLS_VERIFY=1", "DOCKER_TLS=1"

	t.Run("by variables, streams included", func(t *testing.T) {
		w := worldOn(t, engine(t, with(t.TempDir(), "DOCKER_HOST="+host, verify, "DOCKER_CERT_PATH="+certs)))
		c := sleeper("one")
		c.Image, c.Build = "", &envspec.Build{Inline: "FROM " + base + "\nCOPY given /given\n", Files: map[string]blob.Blob{"given": blob.Of([]byte("over TLS"))}}
		w.must(w.up(providers.Create, node(c, "1")))
		if text := w.run(c.Addr, "cat", "/given"); text != "over TLS" {
			t.Errorf("built with %q", text)
		}
		var out strings.Builder
		code, err := w.p.Exec(w.ctx, w.observed(named("one")), providers.ExecOptions{Command: []string{"cat"}, Stdin: strings.NewReader("there and back"), Stdout: &out, Stderr: &out})
		if err != nil || code != 0 || out.String() != "there and back" {
			t.Errorf("%d, %v: %q", code, err, out.String())
		}
	})
	t.Run("by a context", func(t *testing.T) {
		dir := t.TempDir()
		sum := sha256.Sum256([]byte("lab"))
		id := hex.EncodeToString(sum[:])
		write(t, filepath.Join(dir, "contexts", "meta", id, "meta.json"), fmt.Sprintf(`{"Name":"lab","Endpoints":{"docker":{"Host":%q}}}`, host))
		ours.write(filepath.Join(dir, "contexts", "tls", id, "docker"))
		p := engine(t, with(dir, "DOCKER_CONTEXT=lab"))
		if is, err := p.EngineInfo(t.Context()); err != nil || is.Host != host || is.From != `context "lab", DOCKER_CONTEXT` {
			t.Errorf("%+v, %v", is, err)
		}
	})
	t.Run("with whomever", func(t *testing.T) {
		engine(t, with(t.TempDir(), "DOCKER_HOST="+host, skip, "DOCKER_CERT_PATH="+certs))
	})

	plain := behindTLS(t, nil)
	bare := t.TempDir()
	if err := os.Link(filepath.Join(certs, "ca.pem"), filepath.Join(bare, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		opts Options
		want string
	}{
		"somebody else's certificate": {with(certs, "DOCKER_HOST="+host, verify, "DOCKER_CERT_PATH="+foreign), filepath.Join(foreign, "ca.pem") + " vouches for"},
		"no certificate of our own":   {with(bare, "DOCKER_HOST="+host, verify), "put cert.pem and key.pem beside"},
		"one that it does not know":   {with(foreign, "DOCKER_HOST="+host, skip), "does not take the certificate in " + filepath.Join(foreign, "cert.pem")},
		"no TLS":                      {with(bare, "DOCKER_HOST="+host), "set DOCKER_TLS_VERIFY=1"},
		"TLS where there is none":     {with(certs, "DOCKER_HOST="+plain, verify), "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(test.opts)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			err = p.Ping(t.Context())
			if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "from DOCKER_HOST") {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := New(with(t.TempDir(), "DOCKER_HOST="+host, verify)); err == nil || !strings.Contains(err.Error(), "DOCKER_CERT_PATH") {
		t.Errorf("without ca.pem: %v", err)
	}
}
