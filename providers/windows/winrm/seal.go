package winrm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"github.com/bodgit/ntlmssp"
)

// The form of a sealed message ([MS-WSMV] 2.2.9.1). It looks like MIME and is not: the headers of
// its parts are indented, and nothing but its length says where the sealed bytes end.
const (
	sealedBoundary    = "--Encrypted Boundary"
	sealedProtocol    = "application/HTTP-SPNEGO-session-encrypted"
	sealedContentType = `multipart/encrypted;protocol="` + sealedProtocol + `";boundary="Encrypted Boundary"`
	soapContentType   = "application/soap+xml;charset=UTF-8"
	octetHeader       = "\tContent-Type: application/octet-stream\r\n"
	signatureBytes    = 16
)

// seal encrypts and signs one message. Each call moves the cipher on, so what it gives must be sent.
func seal(s *ntlmssp.SecuritySession, message []byte) ([]byte, error) {
	sealed, signature, err := s.Wrap(message)
	if err != nil {
		return nil, err
	}
	if len(signature) != signatureBytes || bytes.Equal(sealed, message) {
		return nil, fmt.Errorf("%w: nothing was agreed on to seal with", ErrNotSealed)
	}
	b := make([]byte, 0, len(sealed)+512)
	b = append(b, sealedBoundary+"\r\n\tContent-Type: "+sealedProtocol+"\r\n"...)
	b = append(b, "\tOriginalContent: type="+soapContentType+";Length="+strconv.Itoa(len(message))+"\r\n"...)
	b = append(b, sealedBoundary+"\r\n"+octetHeader...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(signature)))
	b = append(b, signature...)
	b = append(b, sealed...)
	return append(b, sealedBoundary+"--\r\n"...), nil
}

// isSealed reports whether a Content-Type says that its message is sealed.
func isSealed(contentType string) bool {
	t, params, err := mime.ParseMediaType(contentType)
	return err == nil && t == "multipart/encrypted" && strings.EqualFold(params["protocol"], sealedProtocol)
}

// unseal verifies and decrypts one message.
func unseal(s *ntlmssp.SecuritySession, body []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(body, []byte(octetHeader))
	if !ok {
		return nil, errors.New("a sealed answer without its second part")
	}
	_, after, ok := bytes.Cut(head, []byte("Length="))
	if !ok {
		return nil, errors.New("a sealed answer without its length")
	}
	digits, _, _ := bytes.Cut(after, []byte("\r\n"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(digits)))
	if err != nil || n < 0 {
		return nil, fmt.Errorf("a sealed answer of length %.20q", digits)
	}
	if len(rest) < 4+signatureBytes+n || binary.LittleEndian.Uint32(rest) != signatureBytes {
		return nil, errors.New("a sealed answer that is cut short")
	}
	rest = rest[4:]
	if tail := rest[signatureBytes+n:]; !bytes.HasPrefix(tail, []byte(sealedBoundary+"--")) {
		return nil, errors.New("a sealed answer of another length than it says")
	}
	return s.Unwrap(rest[signatureBytes:signatureBytes+n], rest[:signatureBytes])
}
