package egress

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Where certificates are in a container, and in a build while it runs.
const (
	Folder     = "/etc/envctl"
	CAPath     = Folder + "/ca.pem"        // those of Settings.CA alone
	BundlePath = Folder + "/ca-bundle.pem" // the usual ones and those
	AptPath    = Folder + "/apt.conf"      // makes apt, which knows no variable for it, use BundlePath
)

// AptConf is what AptPath holds.
const AptConf = "Acquire::https::CaInfo \"" + BundlePath + "\";\n"

// ErrNoCertificate says that a text holds no certificate in PEM form.
var ErrNoCertificate = errors.New("there is no certificate in PEM form in it (\"-----BEGIN CERTIFICATE-----\")")

// ParseCA reads certificates in PEM form and gives them as Settings.CA has them: sorted, each once, nothing else.
// Blocks of another kind, as a private key, are passed over.
func ParseCA(texts ...[]byte) (string, error) {
	var found []string
	for _, text := range texts {
		before := len(found)
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
				continue
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return "", fmt.Errorf("one of its certificates cannot be read: %w", err)
			}
			found = append(found, encode(c.Raw))
		}
		if len(found) == before {
			return "", ErrNoCertificate
		}
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), ""), nil
}

// Authorities gives those certificates of a text that may sign others.
func Authorities(text []byte) []byte {
	var b bytes.Buffer
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return b.Bytes()
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && c.IsCA {
			b.WriteString(encode(c.Raw))
		}
	}
}

func encode(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// publicRoots is Mozilla's list as PEM, without the certificates that are trusted with conditions, which a file cannot say.
func publicRoots() string {
	var b strings.Builder
	for r := range bundle.Roots() {
		if r.Constraint == nil {
			b.WriteString(encode(r.Certificate))
		}
	}
	return b.String()
}

// Bundle gives the usual authorities and those of s in one file, for programs whose variable displaces what they trust.
// Usual is the list that an image brings; "" stands for Mozilla's.
func (s *Settings) Bundle(usual string) string {
	if usual == "" {
		usual = publicRoots()
	}
	return strings.TrimRight(usual, "\n") + "\n" + s.CA
}

// CAEnv gives the variables by which programs find the certificates.
func (s *Settings) CAEnv() map[string]string {
	if s == nil || s.CA == "" {
		return nil
	}
	env := map[string]string{"NODE_EXTRA_CA_CERTS": CAPath} // the one that adds
	for _, name := range []string{
		"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE",
		"CARGO_HTTP_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
	} {
		env[name] = BundlePath
	}
	return env
}
