package winrm

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"

	"github.com/bodgit/ntlmssp"
)

// What a sealed session needs of NTLM's flags ([MS-NLMP] 2.2.2.5): Unicode, sign, seal, extended
// session security, 128 bit, key exchange. bodgit passes plaintext on where seal was not agreed on.
const sealFlags = 0x00000001 | 0x00000010 | 0x00000020 | 0x00080000 | 0x20000000 | 0x40000000

// ntlm authenticates a new connection. Over TLS its last message is left for the first request;
// otherwise it is confirmed at once, for only then may anything be sealed with what was agreed on.
func (l *link) ntlm() error {
	user, domain := l.cfg.User, ""
	if d, u, ok := strings.Cut(user, `\`); ok {
		user, domain = u, d
	}
	c, err := ntlmssp.NewClient(ntlmssp.SetUserInfo(user, l.cfg.Password.Reveal()), ntlmssp.SetDomain(domain),
		ntlmssp.SetVersion(ntlmssp.DefaultVersion()))
	if err != nil {
		return fmt.Errorf("NTLM: %w", err)
	}
	first, err := c.Authenticate(nil, nil)
	if err != nil {
		return fmt.Errorf("NTLM: %w", err)
	}
	resp, _, err := l.http(negotiate(first), soapContentType, nil)
	if err != nil {
		return err
	}
	challenge, ok := negotiateToken(resp)
	if resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("NTLM: %w", &HTTPError{Status: resp.StatusCode, Action: l.cfg.URL()})
	}
	if !ok || len(challenge) < 24 {
		return l.authError(resp)
	}
	if !l.cfg.HTTPS && binary.LittleEndian.Uint32(challenge[20:])&sealFlags != sealFlags {
		return fmt.Errorf("%s will not seal messages: %w: use https = true", l.cfg.URL(), ErrNotSealed)
	}
	last, err := c.Authenticate(challenge, channelBindings(l.conn))
	if err != nil {
		return fmt.Errorf("NTLM: the machine's challenge: %w", err)
	}
	if l.cfg.HTTPS {
		l.pending = negotiate(last)
		return nil
	}
	if resp, _, err = l.http(negotiate(last), soapContentType, nil); err != nil {
		return err
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return l.authError(resp)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("NTLM: %w", &HTTPError{Status: resp.StatusCode, Action: l.cfg.URL()})
	}
	if l.session = c.SecuritySession(); l.session == nil {
		return fmt.Errorf("%s: %w", l.cfg.URL(), ErrNotSealed)
	}
	return nil
}

func negotiate(token []byte) string { return "Negotiate " + base64.StdEncoding.EncodeToString(token) }

func negotiateToken(resp *http.Response) ([]byte, bool) {
	for _, v := range resp.Header.Values("WWW-Authenticate") {
		scheme, token, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Negotiate") && !strings.EqualFold(scheme, "NTLM") {
			continue
		}
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token)); err == nil && len(b) > 0 {
			return b, true
		}
	}
	return nil, false
}

// schemes gives the names of the schemes in one WWW-Authenticate header.
func schemes(header string) []string {
	var names []string
	for part := range strings.SplitSeq(header, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		if name != "" && !strings.Contains(name, "=") {
			names = append(names, name)
		}
	}
	return names
}
