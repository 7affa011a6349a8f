// Package egresstest is a proxy that inspects TLS, for tests: it opens every connection with a certificate of its own
// CA, and answers for the servers behind it itself.
package egresstest

import (
	"bufio"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Issuer is the common name of the proxy's CA.
const Issuer = "Acme TLS Inspection CA"

// Answer is what every server behind the proxy says.
const Answer = "seen through the proxy"

// Proxy is a running proxy.
type Proxy struct {
	// CA is its certificate, PEM.
	CA string
	// URL is where it listens, without a login.
	URL string

	login string // "user:password"; "" lets all in
	key   *ecdsa.PrivateKey
	root  *x509.Certificate
	leaf  *ecdsa.PrivateKey

	mu   sync.Mutex
	seen []string
}

// Start runs a proxy on an address of this computer, as "127.0.0.1", until the test ends. With a login, "user:password",
// it refuses who does not give that.
func Start(t testing.TB, address, login string) *Proxy {
	t.Helper()
	p := &Proxy{login: login}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if p.leaf, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: Issuer}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(p)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	p.URL = "http://" + l.Addr().String()
	return p
}

// Seen lists the hosts that were asked for, each once, sorted.
func (p *Proxy) Seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.seen)
	return slices.Compact(slices.Clone(p.seen))
}

// Certificate gives a certificate that the proxy's CA signed for names and addresses, and its key, both PEM.
func (p *Proxy) Certificate(names ...string) (certificate, key []byte) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.root, p.leaf.Public(), p.key)
	if err != nil {
		panic(err) // its own key
	}
	raw, err := x509.MarshalPKCS8PrivateKey(p.leaf)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// TLS gives what a server needs to show a certificate of the proxy's CA for the name that it is asked for, or for
// fallback.
func (p *Proxy) TLS(fallback string) *tls.Config {
	return &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, key := p.Certificate(cmp.Or(h.ServerName, fallback))
		pair, err := tls.X509KeyPair(append(certificate, p.CA...), key)
		return &pair, err
	}}
}

// ServeHTTP takes a request for a proxy.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given := strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic ")
	if p.login != "" && given != base64.StdEncoding.EncodeToString([]byte(p.login)) {
		w.Header().Set("Proxy-Authenticate", "Basic realm=proxy")
		http.Error(w, "log in", http.StatusProxyAuthRequired)
		return
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	p.mu.Lock()
	p.seen = append(p.seen, host)
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		answer(w, r)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	inside := tls.Server(conn, p.TLS(host))
	defer inside.Close()
	request, err := http.ReadRequest(bufio.NewReader(inside))
	if err != nil {
		return // who does not trust the certificate ends it here
	}
	rec := httptest.NewRecorder()
	answer(rec, request)
	resp := rec.Result()
	resp.Close = true
	resp.ContentLength = int64(rec.Body.Len())
	_ = resp.Write(inside)
}

// answer is a server's: it has everything but what a signed Debian archive has.
func answer(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "Release") {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, Answer)
}
