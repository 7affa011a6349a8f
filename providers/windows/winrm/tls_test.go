package winrm

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/secret"
)

func slowDial(d time.Duration) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return slow{conn, d}, nil
	}
}

func TestTheCertificateIsTheOneThatIsPinned(t *testing.T) {
	m := newMachine(t, true)
	own := Fingerprint(m.server.Certificate().Raw)
	other := "sha256:" + strings.Repeat("ab", 32)
	for name, tt := range map[string]struct {
		change func(*Config)
		want   []string // of the error; none means that it works
	}{
		"pinned":            {func(c *Config) { c.Fingerprint = strings.ToUpper(own[:7]) + own[7:] }, nil},
		"another is pinned": {func(c *Config) { c.Fingerprint = other }, []string{own, other, "pin the new fingerprint"}},
		"unknown":           {func(c *Config) { c.Fingerprint = "" }, []string{"not trusted", own, "ca_file"}},
		"its CA is given":   {func(c *Config) { c.Fingerprint = ""; c.CAPEM = certPEM(m) }, nil},
		"a CA that is none": {func(c *Config) { c.Fingerprint = ""; c.CAPEM = []byte("x") }, []string{"no certificate"}},
		"its CA is trusted": {func(c *Config) {
			c.Fingerprint = ""
			c.Roots = x509.NewCertPool()
			c.Roots.AddCert(m.server.Certificate())
		}, nil},
		"another name":          {func(c *Config) { c.Fingerprint = ""; c.CAPEM = certPEM(m); c.ServerName = "pas" }, []string{"not trusted", "pas"}},
		"pinned, another name":  {func(c *Config) { c.ServerName = "pas" }, nil},
		"not TLS at that port":  {func(c *Config) { c.Port = plainListener(t) }, []string{"does not speak TLS"}},
		"nobody at that port":   {func(c *Config) { c.Port = 1 }, []string{"winrm quickconfig"}},
		"plain HTTP to a TLS's": {func(c *Config) { c.HTTPS, c.Fingerprint = false, "" }, []string{"400"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.client(tt.change).Identify(t.Context())
			if tt.want == nil && err != nil || tt.want != nil && err == nil {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
			var pin *CertificateError
			if errors.As(err, &pin) != (name == "another is pinned") {
				t.Errorf("a *CertificateError, or not: %v", err)
			}
		})
	}
}

func certPEM(m *machine) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.server.Certificate().Raw})
}

// plainListener answers with what is no TLS.
func plainListener(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port
}

func TestAConfigThatCannotBeMeantIsRefused(t *testing.T) {
	good := Config{Address: "pas", User: "u", Password: secret.Plain("p")}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no address":       {func(c *Config) { c.Address = "" }, "no address"},
		"no user":          {func(c *Config) { c.User = "" }, "user and a password"},
		"empty password":   {func(c *Config) { c.Password = secret.Plain("") }, "user and a password"},
		"plain basic":      {func(c *Config) { c.Auth = Basic }, "insecure = true"},
		"kerberos":         {func(c *Config) { c.Auth = "kerberos" }, "not known"},
		"short pin":        {func(c *Config) { c.HTTPS, c.Fingerprint = true, "sha256:abcd" }, "64 hexadecimal"},
		"pin without TLS":  {func(c *Config) { c.Fingerprint = "sha256:" + strings.Repeat("ab", 32) }, "https = true"},
		"pin of a hash":    {func(c *Config) { c.HTTPS, c.Fingerprint = true, strings.Repeat("ab", 32) }, "64 hexadecimal"},
		"nothing is wrong": {func(*Config) {}, ""},
	} {
		cfg := good
		tt.change(&cfg)
		c, err := New(cfg)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else {
				_ = c.Close()
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPortsAndURLs(t *testing.T) {
	for want, cfg := range map[string]Config{
		"http://pas:5985/wsman":         {Address: "pas"},
		"https://pas:5986/wsman":        {Address: "pas", HTTPS: true},
		"https://[fe80::1]:15986/wsman": {Address: "fe80::1", HTTPS: true, Port: 15986},
	} {
		cfg.User, cfg.Password = "u", secret.Plain("p")
		c, err := New(cfg)
		if err != nil || c.URL() != want {
			t.Errorf("got %v, %v, want %s", c, err, want)
		}
	}
}
