//go:build unix

package sandbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bodgit/ntlmssp"
	ntlmhttp "github.com/bodgit/ntlmssp/http"
	"github.com/masterzen/winrm"
)

func endpointOf(t *testing.T, raw string) *winrm.Endpoint {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return &winrm.Endpoint{Host: host, Port: n, HTTPS: u.Scheme == "https", Insecure: true, Timeout: 30 * time.Second}
}

// masterzen/winrm works unchanged, over each of its transports.
func TestMasterzen(t *testing.T) {
	v := serveTest(t, Options{})
	unsealed := serveTest(t, Options{AllowUnencrypted: true})
	sealed := func() winrm.Transporter {
		e, err := winrm.NewEncryption("ntlm")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for name, tt := range map[string]struct {
		endpoint  string
		transport func() winrm.Transporter
		input     int
	}{
		"basic over HTTPS":         {v.https, nil, 200_000},
		"NTLM over HTTPS":          {v.https, func() winrm.Transporter { return &winrm.ClientNTLM{} }, 200_000},
		"sealed NTLM over HTTP":    {v.http, sealed, 0}, // it mixes its keys up where Send and Receive meet
		"basic over HTTP, allowed": {unsealed.http, nil, 200_000},
		"NTLM over HTTP, unsealed": {unsealed.http, func() winrm.Transporter { return &winrm.ClientNTLM{} }, 200_000},
	} {
		t.Run(name, func(t *testing.T) {
			params := winrm.NewParameters("PT60S", "en-US", 153600)
			params.TransportDecorator = tt.transport
			client, err := winrm.NewClientWithParameters(endpointOf(t, tt.endpoint), testUser, testPassword, params)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var stdout, stderr bytes.Buffer
			line := "echo err >&2; exit 3"
			var code int
			if tt.input > 0 {
				code, err = client.RunWithContextWithInput(ctx, "cat;"+line, &stdout, &stderr, bytes.NewReader(make([]byte, tt.input)))
			} else {
				code, err = client.RunWithContext(ctx, line, &stdout, &stderr)
			}
			if err != nil || code != 3 || stdout.Len() != tt.input || stderr.String() != "err\n" {
				t.Fatalf("got %d bytes, %q, exit %d, %v", stdout.Len(), stderr.String(), code, err)
			}
		})
	}
}

// bodgit's client seals with keys of its own making and checks our signatures.
func TestBodgitSealed(t *testing.T) {
	v := serveTest(t, Options{})
	client := bodgitClient(t, testUser, testPassword)
	probe, err := client.Post(v.http, soapType, nil) // authenticates
	if err != nil || probe.StatusCode != 200 {
		t.Fatal(probe, err)
	}
	probe.Body.Close()
	var shell string
	for range 3 { // the ciphers' state goes on from message to message
		// The reader hides its length, which sealing changes.
		resp, err := client.Post(v.http, soapType, struct{ io.Reader }{strings.NewReader(envelope{action: actionCreate, body: shellBody}.String())})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if shell = find(parsed(t, answer), nsShell, "ShellId").value(); resp.StatusCode != 200 || shell == "" {
			t.Fatalf("got %d %s", resp.StatusCode, answer)
		}
	}
}

func bodgitClient(t *testing.T, user, password string) *ntlmhttp.Client {
	t.Helper()
	ntlm, err := ntlmssp.NewClient(ntlmssp.SetUserInfo(user, password), ntlmssp.SetVersion(ntlmssp.DefaultVersion()))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	client, err := ntlmhttp.NewClient(&http.Client{Transport: tr, Timeout: 30 * time.Second}, ntlm, ntlmhttp.Encryption(true))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestNTLMRefuses(t *testing.T) {
	v := serveTest(t, Options{})
	for name, who := range map[string][2]string{
		"wrong password":                  {testUser, "wrong"},
		"empty password":                  {testUser, ""},
		"unknown user":                    {"nobody", testPassword},
		"unknown user, empty password":    {"nobody", ""},
		"the name's beginning is no user": {testUser[:3], testPassword},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := bodgitClient(t, who[0], who[1]).Post(v.http, soapType, nil)
			if err != nil {
				return // the client saw that it was refused
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("got %s", resp.Status)
			}
		})
	}
}

func TestBasic(t *testing.T) {
	v := serveTest(t, Options{})
	body := envelope{action: actionCreate, body: shellBody}.String()
	for _, tt := range []struct {
		name, url, user, password string
		want                      int
	}{
		{"UTF-8", v.https, testUser, testPassword, 200},
		{"Latin-1", v.https, testUser, "P\xe4ssw\xf6rd!", 200},
		{"the user's case and domain", v.https, `HOST\VAGRANT`, testPassword, 200},
		{"a domain behind the user", v.https, testUser + "@host", testPassword, 200},
		{"wrong password", v.https, testUser, "x", 401},
		{"empty password", v.https, testUser, "", 401},
		{"unknown user", v.https, "root", testPassword, 401},
		{"plain HTTP", v.http, testUser, testPassword, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, tt.url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(tt.user, tt.password)
			resp, err := v.client(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Fatalf("got %s, want %d", resp.Status, tt.want)
			}
			offers := strings.Join(resp.Header.Values("WWW-Authenticate"), ",")
			if tt.want == 401 && strings.Contains(offers, "Basic") != strings.HasPrefix(tt.url, "https:") {
				t.Fatalf("offered %q", offers)
			}
		})
	}
}

// ntlmConn is one connection that has authenticated, driven by hand.
type ntlmConn struct {
	t      *testing.T
	client *http.Client
	url    string
	ntlm   *ntlmssp.Client
}

func (c *ntlmConn) post(contentType, authorization string, body []byte) (*http.Response, []byte) {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, answer
}

// authenticate makes the handshake; change may tamper with the last message.
func (c *ntlmConn) authenticate(change func([]byte)) int {
	c.t.Helper()
	negotiate, err := c.ntlm.Authenticate(nil, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, _ := c.post(soapType, "Negotiate "+b64(negotiate), nil)
	challenge := unb64(c.t, strings.TrimPrefix(resp.Header.Get("WWW-Authenticate"), "Negotiate "))
	last, err := c.ntlm.Authenticate(challenge, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if change != nil {
		change(last)
	}
	resp, _ = c.post(soapType, "Negotiate "+b64(last), nil)
	return resp.StatusCode
}

func newNTLMConn(t *testing.T, url string) *ntlmConn {
	t.Helper()
	ntlm, err := ntlmssp.NewClient(ntlmssp.SetUserInfo(testUser, testPassword), ntlmssp.SetVersion(ntlmssp.DefaultVersion()))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(tr.CloseIdleConnections)
	return &ntlmConn{t, &http.Client{Transport: tr, Timeout: 30 * time.Second}, url, ntlm}
}

func TestNTLMVerifiesTheMIC(t *testing.T) {
	v := serveTest(t, Options{})
	if status := newNTLMConn(t, v.http).authenticate(nil); status != 200 {
		t.Fatalf("the untouched handshake: %d", status)
	}
	for name, change := range map[string]func([]byte){
		"the MIC":   func(m []byte) { m[72] ^= 1 },
		"the flags": func(m []byte) { m[60] ^= flagSign },
	} {
		if status := newNTLMConn(t, v.http).authenticate(change); status != 401 {
			t.Errorf("%s tampered with: %d", name, status)
		}
	}
}

// What a connection that has authenticated may do, and what not.
func TestAuthenticatedConnection(t *testing.T) {
	v := serveTest(t, Options{})
	c := newNTLMConn(t, v.http)
	if status := c.authenticate(nil); status != 200 {
		t.Fatal(status)
	}
	soap := []byte(envelope{action: actionCreate, body: shellBody}.String())
	if resp, _ := c.post(soapType, "", nil); resp.StatusCode != 401 {
		t.Errorf("an empty POST without credentials: %s", resp.Status)
	}
	if resp, answer := c.post(soapType, "", soap); resp.StatusCode == 200 || bytes.Contains(answer, []byte("ShellId")) {
		t.Errorf("SOAP that is not sealed over HTTP: %s", resp.Status)
	}
	session := c.ntlm.SecuritySession()
	seal := func(plain []byte) []byte {
		sealed, signature, err := session.Wrap(plain)
		if err != nil {
			t.Fatal(err)
		}
		return []byte("--Encrypted Boundary\r\n\tContent-Type: " + spnegoType + "\r\n\tOriginalContent: type=" + soapType + ";Length=" + strconv.Itoa(len(plain)) +
			"\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n\x10\x00\x00\x00" + string(signature) + string(sealed) + "--Encrypted Boundary--\r\n")
	}
	resp, answer := c.post(encryptedType, "", seal(soap))
	if resp.StatusCode != 200 || bytes.Contains(answer, []byte("ShellId")) {
		t.Fatalf("sealed: %s, and the answer must be sealed too", resp.Status)
	}
	broken := seal(soap)
	broken[len(broken)-40] ^= 1
	if resp, _ := c.post(encryptedType, "", broken); resp.StatusCode != 400 {
		t.Errorf("a sealed message that was changed: %s", resp.Status)
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unb64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
