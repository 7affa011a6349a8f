package egress_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/egress/egresstest"
	"github.com/envctl/envctl/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func through(p *egresstest.Proxy) map[string]secret.Text {
	proxy, _ := egress.ProxyURL(p.URL)
	return map[string]secret.Text{"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
}

func get(t *testing.T, s *egress.Settings, url string) (string, error) {
	t.Helper()
	tr, err := s.Transport()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func TestOurOwnClientThroughAnInspectingProxy(t *testing.T) {
	p := egresstest.Start(t, "127.0.0.1", "")
	s := &egress.Settings{CA: p.CA, Proxies: through(p), NoProxy: []string{"direct.test"}}
	if got, err := get(t, s, "https://something.test/"); err != nil || got != egresstest.Answer {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := get(t, &egress.Settings{Proxies: through(p)}, "https://something.test/")
	if _, yes := egress.Inspected(fmt.Sprint(err)); !yes {
		t.Errorf("without the CA: %v", err)
	}
	if issuer := s.Issuer(t.Context(), "something.test"); issuer != "CN="+egresstest.Issuer {
		t.Errorf("issuer %q", issuer)
	}
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer local.Close()
	if got, err := get(t, s, local.URL); err != nil || got != "direct" {
		t.Errorf("loopback: %q, %v", got, err)
	}
	for _, name := range []string{"db", "direct.test"} {
		if _, err := get(t, s.WithDirect("db"), "http://"+name+".invalid/"); err != nil {
			t.Errorf("%s.invalid is another name than %s: %v", name, name, err)
		}
		if _, err := get(t, s.WithDirect("db"), "http://"+name+"/"); err == nil {
			t.Errorf("%s was asked for at the proxy", name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	var none *egress.Settings
	if len(none.ProxyEnv())+len(none.CAEnv())+len(none.Secrets()) > 0 || none.Logins() != "" || none.WithDirect("a") != nil || none.Inside() != nil || none.Replace("x") != nil {
		t.Error("nothing set is not nothing")
	}
	proxy, ok := egress.ProxyURL("http://ann:p%40ss-planted@127.0.0.1:3128")
	if !ok || !proxy.Sensitive {
		t.Fatal("a login is not seen to be secret")
	}
	s := (&egress.Settings{Proxies: map[string]secret.Text{"HTTP_PROXY": proxy}, NoProxy: []string{"intranet.corp"}}).WithDirect("db").Inside()
	env := s.ProxyEnv()
	if got := env["http_proxy"].Reveal(); got != "http://ann:p%40ss-planted@host.docker.internal:3128" {
		t.Errorf("inside a container it is %s", got)
	}
	if diff := cmp.Diff("127.0.0.1,::1,db,host.docker.internal,intranet.corp,localhost", env["NO_PROXY"].Reveal()); diff != "" {
		t.Error(diff)
	}
	if got := fmt.Sprintf("%v %+v %#v", env, env, env); strings.Contains(got, "planted") {
		t.Errorf("it prints itself: %s", got)
	}
	var words []string
	for _, v := range s.Secrets() {
		words = append(words, v.Reveal())
	}
	if diff := cmp.Diff([]string{"http://ann:p%40ss-planted@host.docker.internal:3128", "p@ss-planted", "p%40ss-planted"}, words); diff != "" {
		t.Error(diff)
	}
	if got := s.Replace("stand-in").ProxyEnv()["HTTP_PROXY"].Reveal(); got != "http://ann:stand-in@host.docker.internal:3128" {
		t.Errorf("stand-in: %s", got)
	}
	for _, bad := range []string{"", "http://", "ftp://proxy", "http://a b", "http://user:p%zz@proxy"} {
		if _, ok := egress.ProxyURL(bad); ok {
			t.Errorf("%q counts as a proxy", bad)
		}
	}
}

func TestCA(t *testing.T) {
	one, two := egresstest.Start(t, "127.0.0.1", "").CA, egresstest.Start(t, "127.0.0.1", "").CA
	a, err := egress.ParseCA([]byte("# comment\n"+one+two), []byte(one))
	if err != nil {
		t.Fatal(err)
	}
	b, err := egress.ParseCA([]byte(two), []byte(one))
	if err != nil || a != b || strings.Count(a, "BEGIN") != 2 {
		t.Errorf("the order counts: %v\n%s\n%s", err, a, b)
	}
	if _, err := egress.ParseCA([]byte("nothing")); !errors.Is(err, egress.ErrNoCertificate) {
		t.Errorf("error %v", err)
	}
	s := &egress.Settings{CA: a}
	if all := s.Bundle(""); strings.Count(all, "BEGIN") < 100 || !strings.HasSuffix(all, a) {
		t.Error("the bundle lacks the public authorities, or ours")
	}
	if all := s.Bundle("own\n"); all != "own\n"+a {
		t.Errorf("with an image's own: %s", all)
	}
	if string(egress.Authorities([]byte(one))) != one {
		t.Error("a CA is not one")
	}
}

// TestKeychain puts a command in the place of macOS's that prints what that does: certificates one after the other, of
// authorities and of others, some twice.
func TestKeychain(t *testing.T) {
	p := egresstest.Start(t, "127.0.0.1", "")
	leaf, _ := p.Certificate("com.apple.systemdefault")
	public := (&egress.Settings{}).Bundle("")
	dir := t.TempDir()
	damaged := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	if err := os.WriteFile(filepath.Join(dir, "bundle.pem"), []byte(string(leaf)+public+damaged+p.CA+p.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n[ \"$*\" = 'find-certificate -a -p /Library/Keychains/System.keychain' ] || { echo no such keychain >&2; exit 1; }\nexec cat " + filepath.Join(dir, "bundle.pem") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "security"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	text, err := egress.Keychain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := egress.ParseCA(text)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(ca, string(leaf)) || strings.Count(ca, p.CA) != 1 {
		t.Error("it has what is no authority, or the company's not once")
	}
	if found, want := strings.Count(ca, "BEGIN"), strings.Count(public, "BEGIN")+1; found != want || want < 100 {
		t.Errorf("it has %d authorities of %d", found, want)
	}
	if got, err := get(t, &egress.Settings{CA: ca, Proxies: through(p)}, "https://something.test/"); err != nil || got != egresstest.Answer {
		t.Errorf("a client that trusts the keychain: %q, %v", got, err)
	}

	if err := os.WriteFile(filepath.Join(dir, "security"), []byte("#!/bin/sh\necho the keychain is locked >&2\nexit 44\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := egress.Keychain(t.Context()); err == nil || !strings.Contains(err.Error(), "the keychain is locked") {
		t.Errorf("error %v", err)
	}
}

// What programs print where a certificate is not trusted, and what is something else.
func TestInspected(t *testing.T) {
	for words, want := range map[string]string{
		`Get "https://x/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of "x509: invalid signature: parent certificate cannot sign this kind of certificate" while trying to verify candidate authority certificate "Acme CA")`: "Acme CA",
		"curl: (60) SSL certificate problem: unable to get local issuer certificate":                                                             "",
		"fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate in certificate chain":                            "",
		"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain": "",
		"npm error code SELF_SIGNED_CERT_IN_CHAIN":                                                                                               "",
		"ERROR: cannot verify example.com's certificate, issued by ‘CN=Acme CA’:\n  Unable to locally verify the issuer's authority.":            "CN=Acme CA",
		"* Server certificate:\n*  issuer: CN=Acme CA\n* SSL certificate problem: unable to get local issuer certificate":                        "CN=Acme CA",
		"Err:1 https://x Certificate verification failed: The certificate is NOT trusted. The certificate issuer is unknown.":                    "",
		"sun.security.validator.ValidatorException: PKIX path building failed":                                                                   "",
	} {
		if issuer, yes := egress.Inspected(words); !yes || issuer != want {
			t.Errorf("%q: %t, issuer %q", words, yes, issuer)
		}
	}
	for _, words := range []string{"connection refused", "x509: certificate has expired or is not yet valid", "404 not found"} {
		if _, yes := egress.Inspected(words); yes {
			t.Errorf("%q counts as inspection", words)
		}
	}
}
