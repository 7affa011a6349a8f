package fetch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/envctl/envctl/internal/egress"
)

const maxRedirects = 10

// newClient gives a client that goes the way of t, and is never led from HTTPS to HTTP.
func newClient(t *http.Transport) *http.Client {
	t = t.Clone()
	t.ResponseHeaderTimeout = idleLimit
	t.DisableCompression = true // the sum is of the file as it lies there
	t.DisableKeepAlives = true  // a download at a time: no connection is left behind
	return &http.Client{CheckRedirect: checkRedirect, Transport: t}
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
func (c *Cache) explain(err error) error {
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
		err := fmt.Errorf("the server's certificate is not trusted: %w", cert.Err)
		if _, yes := egress.Inspected(cert.Err.Error()); yes && len(cert.UnverifiedCertificates) > 0 {
			err = fmt.Errorf("%w; %s; %s", err, egress.Suspicion(cert.UnverifiedCertificates[0].Issuer.String()), c.remedy)
		}
		return final{err}
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
