package guestproto

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path"
	"strings"
)

// IsPFX reports whether a file's name says that it is a PFX.
func IsPFX(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".pfx" || ext == ".p12"
}

// Certificates gives the certificates in PEM or DER. A private key beside them is refused: what takes one into a
// store is a PFX.
func Certificates(b []byte) ([]*x509.Certificate, error) {
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		c, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, errors.New("it holds no certificate in PEM or DER")
		}
		return []*x509.Certificate{c}, nil
	}
	var all []*x509.Certificate
	for {
		var p *pem.Block
		if p, b = pem.Decode(b); p == nil {
			break
		}
		switch {
		case strings.HasSuffix(p.Type, "PRIVATE KEY"):
			return nil, errors.New("it holds a private key too, which Windows takes from a PFX only: openssl pkcs12 -export makes one")
		case p.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(p.Bytes)
			if err != nil {
				return nil, errors.New("one of its certificates cannot be read")
			}
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return all, nil
}
