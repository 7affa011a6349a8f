// Package winrm is a session with a Windows machine over WS-Management, the protocol that every
// Windows answers without anything being installed. It runs commands in a remote shell and carries
// their stdin and stdout fast enough, and exactly enough, to bear a protocol of another kind on top.
//
// Messages are put together with masterzen/winrm's SOAP builders and NTLM comes from bodgit/ntlmssp;
// the session itself is ours: what a lost answer means, when a connection may be used again, and how
// long anything may take are decided here. What runs on top of a command's pipes is left to others.
package winrm

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/secret"
)

// The ways to authenticate.
const (
	NTLM  = "ntlm"
	Basic = "basic"
)

// Config says which machine to talk to, and as whom. Address, User and Password are required.
type Config struct {
	Address string // host name or IP address
	Port    int    // 0 means 5986 with HTTPS, else 5985
	HTTPS   bool
	// User is "name", "DOMAIN\name" or "name@domain".
	User     string
	Password secret.Text
	// Auth is NTLM (the default) or Basic.
	Auth string
	// Insecure allows what anyone on the way can read: Basic over plain HTTP. NTLM over plain HTTP
	// seals every message and does not need it.
	Insecure bool
	// Fingerprint is "sha256:" and the hex SHA-256 of the machine's certificate in DER. Where set,
	// that certificate is accepted whatever it says, and no other.
	Fingerprint string
	// CAPEM has the certificates to verify the machine's with, in place of the system's.
	CAPEM []byte
	// Roots are the authorities in place of the system's, where there is no CAPEM; nil is the system's.
	Roots *x509.CertPool
	// ServerName is the name that the certificate must have; empty means Address.
	ServerName string

	// Dial opens the TCP connections; nil means the usual way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ConnectTimeout bounds connecting, TLS and authentication together; 0 means 20 s.
	ConnectTimeout time.Duration
	// OperationTimeout is how long the machine may take to answer; 0 means 60 s. Receive is a long
	// poll, whose answer comes at the latest then.
	OperationTimeout time.Duration
	// CleanupTimeout bounds each of the last messages of a command and of a shell; 0 means 5 s.
	CleanupTimeout time.Duration
	// Log gets what is worth reading afterwards; nil means nobody. It never gets a secret.
	Log *slog.Logger
}

const (
	defaultConnectTimeout   = 20 * time.Second
	defaultOperationTimeout = 60 * time.Second
	defaultCleanupTimeout   = 5 * time.Second
	// answerGrace is how much longer than the operation's timeout an answer is awaited: output that
	// the machine sends and nobody reads is lost.
	answerGrace = 30 * time.Second
	plainPort   = 5985
	tlsPort     = 5986
)

// Notice is what a person should be told each time this configuration is used; mostly nothing.
func (c Config) Notice() string {
	if c.Auth == Basic && !c.HTTPS {
		return "the password and everything else goes to " + c.Address + " unencrypted: set https = true, or auth = \"ntlm\""
	}
	return ""
}

// URL is where the machine listens.
func (c Config) URL() string {
	scheme := "http"
	if c.HTTPS {
		scheme = "https"
	}
	return scheme + "://" + c.hostPort() + "/wsman"
}

func (c Config) hostPort() string {
	return net.JoinHostPort(c.Address, strconv.Itoa(c.Port))
}

// complete checks c and fills in what was left out.
func (c Config) complete() (Config, error) {
	if c.Address == "" {
		return c, errors.New("winrm: no address: say which machine to connect to")
	}
	if c.Port == 0 {
		c.Port = plainPort
		if c.HTTPS {
			c.Port = tlsPort
		}
	}
	if c.Auth == "" {
		c.Auth = NTLM
	}
	switch {
	case c.Auth != NTLM && c.Auth != Basic:
		return c, fmt.Errorf("winrm: auth %q is not known: use %q or %q", c.Auth, NTLM, Basic)
	case c.Auth == Basic && !c.HTTPS && !c.Insecure:
		return c, fmt.Errorf("winrm: basic authentication over plain HTTP shows the password of %s to everyone on the way: use https = true or auth = \"ntlm\", or allow it with insecure = true", c.Address)
	case c.User == "" || c.Password.Reveal() == "":
		return c, fmt.Errorf("winrm: a user and a password are needed for %s: set the machine's credential", c.Address)
	}
	if c.Fingerprint != "" {
		if !c.HTTPS {
			return c, errors.New("winrm: a fingerprint is of a certificate, and plain HTTP has none: set https = true")
		}
		if _, err := parseFingerprint(c.Fingerprint); err != nil {
			return c, err
		}
	}
	c.ConnectTimeout = orElse(c.ConnectTimeout, defaultConnectTimeout)
	c.OperationTimeout = orElse(c.OperationTimeout, defaultOperationTimeout)
	c.CleanupTimeout = orElse(c.CleanupTimeout, defaultCleanupTimeout)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orElse(d, or time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return or
}

func parseFingerprint(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(strings.ToLower(s), "sha256:")
	b, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if !ok || err != nil || len(b) != sha256.Size {
		return nil, fmt.Errorf("winrm: fingerprint %q is not \"sha256:\" and 64 hexadecimal digits", s)
	}
	return b, nil
}

// Fingerprint gives the form in which a certificate is pinned.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}
