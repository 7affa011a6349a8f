package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Pool gives the system's authorities and those of s; nil, which stands for the system's, where s adds none.
func (s *Settings) Pool() (*x509.CertPool, error) {
	if s == nil || s.CA == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities: %w", err)
	}
	pool.AppendCertsFromPEM([]byte(s.CA))
	return pool, nil
}

// Transport gives our own clients their way out. Without proxies of its own it follows the environment
// (HTTPS_PROXY, NO_PROXY), as other programs on the host do. Loopback and the names of wires go directly.
func (s *Settings) Transport() (*http.Transport, error) {
	pool, err := s.Pool()
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	t.Proxy = s.proxy()
	return t, nil
}

func (s *Settings) proxy() func(*http.Request) (*url.URL, error) {
	c := httpproxy.FromEnvironment()
	if s != nil {
		if len(s.Proxies) > 0 {
			c.HTTPProxy, c.HTTPSProxy = s.Proxies["HTTP_PROXY"].Reveal(), s.Proxies["HTTPS_PROXY"].Reveal()
			c.NoProxy = ""
		}
		c.NoProxy += "," + s.NoProxyList()
	}
	choose := c.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) {
		u, err := choose(r.URL)
		if err != nil { // it quotes the variable, in which a password may be
			return nil, errors.New("HTTPS_PROXY or HTTP_PROXY is not a URL")
		}
		return u, nil
	}
}

// errSeen ends a handshake that was begun only to see a certificate.
var errSeen = errors.New("seen")

// issuerTime is how long asking who signed a certificate may take: it is done when something has failed already.
const issuerTime = 5 * time.Second

// Issuer asks who signed the certificate that an HTTPS server shows to this computer, which ends with the
// handshake: nothing is sent. It is "" where that cannot be seen.
func (s *Settings) Issuer(ctx context.Context, host string) string {
	ctx, cancel := context.WithTimeout(ctx, issuerTime)
	defer cancel()
	t, err := s.Transport()
	if err != nil {
		return ""
	}
	defer t.CloseIdleConnections()
	issuer := ""
	t.ForceAttemptHTTP2 = false
	t.TLSClientConfig.InsecureSkipVerify = true // what it shows is looked at, and nothing is said to it
	t.TLSClientConfig.VerifyConnection = func(c tls.ConnectionState) error {
		issuer = c.PeerCertificates[0].Issuer.String()
		return errSeen
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/", nil)
	if err != nil {
		return ""
	}
	if resp, err := t.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
	}
	return issuer
}
