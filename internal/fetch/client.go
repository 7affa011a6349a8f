package fetch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const maxRedirects = 10

// newClient gives a client that honours HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and is never led from HTTPS to HTTP.
func newClient(o Options) *http.Client {
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				u, err := proxy(r.URL)
				if err != nil { // it quotes the variable, in which a password may be
					return nil, errors.New("HTTPS_PROXY or HTTP_PROXY is not a URL")
				}
				return u, nil
			},
			DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   30 * time.Second,
			ResponseHeaderTimeout: idleLimit,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // the sum is of the file as it lies there
			DisableKeepAlives:     true, // a download at a time: no connection is left behind
		},
	}
}

// refused is why a redirect was not followed.
type refused string

func (r refused) Error() string { return string(r) }

func checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer") // the query of the URL before is none of the next server's business
	if len(via) > maxRedirects {
		return refused(fmt.Sprintf("more than %d redirects", maxRedirects))
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return refused("the server leads from HTTPS to an open connection, at " + req.URL.Host + ": name a URL that does not")
	}
	return nil
}

// explain says what is wrong with a connection, without the URL that net/http puts before it.
func explain(err error) error {
	var (
		wrapped *url.Error
		no      refused
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		dns     *net.DNSError
	)
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case errors.As(err, &no):
		return final{no}
	case errors.As(err, &cert):
		return final{fmt.Errorf("the server's certificate is not trusted: %w. A company's own authority has to be among those that this computer trusts", cert.Err)}
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return final{fmt.Errorf("no TLS with this server: %w", err)}
	case strings.Contains(err.Error(), "Location header"): // it quotes it
		return final{errors.New("the server leads to what is no URL")}
	case errors.As(err, &dns) && dns.IsNotFound:
		return final{fmt.Errorf("there is no host %s", dns.Name)}
	}
	return err
}

// refusal puts an answer that is none into words.
func refusal(resp *http.Response) error {
	hint := ""
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = ": it wants to know who asks. Download the file beside the spec, or use a URL that carries its token in the query"
	case http.StatusNotFound, http.StatusGone:
		hint = ": see whether the file has moved"
	}
	host := ""
	if resp.Request.Response != nil { // it was led there
		host = " at " + resp.Request.URL.Host
	}
	return fmt.Errorf("the server%s answered %s%s", host, resp.Status, hint)
}
