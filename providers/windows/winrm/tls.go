package winrm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512, for channel bindings
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/bodgit/ntlmssp"
)

// startTLS shakes hands on conn. A certificate that is not accepted is a *CertificateError where one
// is pinned, and otherwise an error that says how to pin it.
func startTLS(ctx context.Context, conn net.Conn, c Config) (*tls.Conn, error) {
	tc := &tls.Config{
		ServerName: c.ServerName,
		RootCAs:    c.Roots,
		MinVersion: tls.VersionTLS12,
		// Small records at first save a browser time; here they cost throughput.
		DynamicRecordSizingDisabled: true,
	}
	if tc.ServerName == "" {
		tc.ServerName = c.Address
	}
	if len(c.CAPEM) > 0 {
		tc.RootCAs = x509.NewCertPool()
		if !tc.RootCAs.AppendCertsFromPEM(c.CAPEM) {
			return nil, errors.New("the CA file has no certificate in PEM form")
		}
	}
	if c.Fingerprint != "" {
		want, err := parseFingerprint(c.Fingerprint)
		if err != nil {
			return nil, err
		}
		tc.InsecureSkipVerify = true // VerifyConnection below takes its place, on every handshake
		tc.VerifyConnection = func(s tls.ConnectionState) error {
			got := sha256.Sum256(s.PeerCertificates[0].Raw)
			if !bytes.Equal(got[:], want) {
				return &CertificateError{URL: c.URL(), Want: c.Fingerprint, Got: Fingerprint(s.PeerCertificates[0].Raw)}
			}
			return nil
		}
	}
	t := tls.Client(conn, tc)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, explainTLS(err, c)
	}
	return t, nil
}

func explainTLS(err error, c Config) error {
	var pinned *CertificateError
	if errors.As(err, &pinned) {
		return pinned
	}
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 {
		cert := verify.UnverifiedCertificates[0]
		signed := ""
		if issuer := cert.Issuer.String(); issuer != cert.Subject.String() {
			signed = fmt.Sprintf(" (issued by %q: your company's CA, or that of a proxy in between that inspects TLS, belongs into `ca_file` of the user's configuration)", issuer)
		}
		return fmt.Errorf("the certificate of %s is not trusted%s: %w: set ca_file, or pin it with fingerprint = %q after comparing that with the machine's own",
			c.URL(), signed, verify.Err, Fingerprint(cert.Raw))
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return fmt.Errorf("TLS with %s: it does not speak TLS: set https = false, or the port of its HTTPS listener", c.URL())
	}
	return fmt.Errorf("TLS with %s: %w", c.URL(), err)
}

// channelBindings ties NTLM to the TLS connection that it runs in, so that it cannot be relayed
// (RFC 5929 4, tls-server-end-point). A machine with CbtHardeningLevel=Strict insists.
func channelBindings(conn net.Conn) *ntlmssp.ChannelBindings {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	cert := t.ConnectionState().PeerCertificates[0]
	h := crypto.SHA256
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = crypto.SHA512
	}
	sum := h.New()
	sum.Write(cert.Raw)
	return &ntlmssp.ChannelBindings{
		ApplicationData: append([]byte(ntlmssp.TLSServerEndPoint+":"), sum.Sum(nil)...),
	}
}
