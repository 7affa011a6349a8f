package docker

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// tlsFiles say how an engine on TCP is spoken to. The zero value is without TLS.
type tlsFiles struct {
	on            bool
	ca, cert, key string // paths; "" is none: the system's authorities, and no certificate of our own
	skipVerify    bool   // whose certificate it is does not matter
}

// tlsOfEnvironment follows the docker command: DOCKER_TLS_VERIFY asks for TLS, DOCKER_TLS for TLS with whomever, and
// DOCKER_CERT_PATH only says where the files are.
func tlsOfEnvironment(configDir string, getenv func(string) string) tlsFiles {
	verify := getenv("DOCKER_TLS_VERIFY") != ""
	if !verify && getenv("DOCKER_TLS") == "" {
		return tlsFiles{}
	}
	dir := cmp.Or(getenv("DOCKER_CERT_PATH"), configDir)
	t := tlsIn(dir, !verify)
	t.on, t.ca = true, filepath.Join(dir, "ca.pem") // which has to be there
	return t
}

// tlsOfContext finds what a context holds for TLS.
func tlsOfContext(dir string, skipVerify bool) tlsFiles {
	t := tlsIn(dir, skipVerify)
	t.on = skipVerify || t.ca != "" || t.cert != "" || t.key != ""
	return t
}

// tlsIn names the files in dir that are there.
func tlsIn(dir string, skipVerify bool) tlsFiles {
	there := func(name string) string {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path
	}
	return tlsFiles{ca: there("ca.pem"), cert: there("cert.pem"), key: there("key.pem"), skipVerify: skipVerify}
}

func (t tlsFiles) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.skipVerify} //nolint:gosec // as the user's Docker settings say
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("whom to trust over TLS: %w; DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("whom to trust over TLS: %s holds no certificate", t.ca)
		}
	}
	if t.cert != "" && t.key != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("the certificate for TLS: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// trouble says in words what is wrong with TLS, where err comes of that; else it is "".
func (t tlsFiles) trouble(err error) string {
	text := err.Error()
	_, unknown := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case unknown:
		return "its certificate is not one that " + cmp.Or(t.ca, "this computer") + " vouches for"
	case tlsOnly.MatchString(text):
		return "it speaks TLS only; set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem"
	case !client.IsErrConnectionFailed(err):
		return "" // what the engine itself says, of a registry for one
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS; unset DOCKER_TLS_VERIFY and DOCKER_TLS, or name the port that does (2376 as a rule)"
	case refusesCertificate.MatchString(text) && (t.cert == "" || t.key == ""):
		return "it wants a certificate of whoever comes, and there is none; put cert.pem and key.pem beside ca.pem"
	case refusesCertificate.MatchString(text):
		return "it does not take the certificate in " + t.cert
	}
	return ""
}

var (
	tlsOnly            = lazyregexp.New(`Error response from daemon: Client sent an HTTP request to an HTTPS server`)
	refusesCertificate = lazyregexp.New(`tls: (?:certificate required|bad certificate|unknown certificate)`)
)
