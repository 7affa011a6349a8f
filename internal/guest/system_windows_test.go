package guest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// cutOff kills the helper at every write of its record in turn. Each time the next run completes the layer, and
// check says that afterwards nothing is left.
func cutOff(t *testing.T, l guestproto.Layer, check func(applied bool)) {
	t.Helper()
	for at := 1; ; at++ {
		m := windowsMachine(t)
		if l.Certificate != nil && l.Certificate.Source != nil {
			put(t, m, l.Certificate.Source.Path)
		}
		seal, writes, dead := m.seal, 0, false
		m.seal = func(b []byte) ([]byte, error) {
			if writes++; writes == at {
				panic(killed{})
			}
			return seal(b)
		}
		func() {
			defer func() { dead = recover() != nil }()
			m.Apply(context.Background(), guestproto.ApplyRequest{Owner: guestproto.Owner{Environment: "test", Instance: "1"}, Layers: numbered(l)}, func(guestproto.Event) {})
		}()
		m.seal = seal
		mustApply(t, m, 0, l)
		check(true)
		mustApply(t, m, 0)
		check(false)
		if !dead {
			return
		}
	}
}

// makeCertificate gives a certificate in PEM and its DER.
func makeCertificate(t *testing.T, name string) (string, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), der
}

func inStore(t *testing.T, store string, der []byte) bool {
	t.Helper()
	s, err := openStore(store)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ids, err := s.ids()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(ids, certificateID(der))
}

func TestCertificateLayer(t *testing.T) {
	for _, store := range []string{"root", "ca", "my", "trustedpeople", "trustedpublisher"} {
		had, hadDER := makeCertificate(t, "had")
		fresh, freshDER := makeCertificate(t, "fresh")
		s, err := openStore(store)
		if err != nil {
			t.Fatal(err)
		}
		c, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &hadDER[0], uint32(len(hadDER)))
		if err != nil {
			t.Fatal(err)
		}
		if err := windows.CertAddCertificateContextToStore(s.handle, c, windows.CERT_STORE_ADD_NEW, nil); err != nil {
			t.Fatal(err)
		}
		windows.CertFreeCertificateContext(c)
		s.close()

		m := windowsMachine(t)
		content := secret.Plain(had + fresh)
		mustApply(t, m, 0, guestproto.Layer{Kind: "certificate", Name: "ca", Certificate: &guestproto.Certificate{Store: store, Content: &content}})
		if !inStore(t, store, hadDER) || !inStore(t, store, freshDER) {
			t.Errorf("%s: they are not both there", store)
		}
		if d := driftOf(t, m); len(d) != 0 {
			t.Errorf("%s: drifted at once: %v", store, d)
		}
		removeCertificate(t, store, freshDER)
		if d := driftOf(t, m); !strings.Contains(d["certificate.ca"], "no longer in store "+store) {
			t.Errorf("%s: drifted: %v", store, d)
		}
		if d := observed(t, m).Differences["certificate.ca"]; len(d) != 1 || d[0].Want != "sha256:"+certificateID(freshDER)[:12] || d[0].Is != "" {
			t.Errorf("%s: differences %v", store, d)
		}
		mustApply(t, m, 0)
		if !inStore(t, store, hadDER) || inStore(t, store, freshDER) {
			t.Errorf("%s: had %v, fresh %v", store, inStore(t, store, hadDER), inStore(t, store, freshDER))
		}
		removeCertificate(t, store, hadDER)
	}
}

func removeCertificate(t *testing.T, store string, der []byte) {
	t.Helper()
	s, err := openStore(store)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var found *windows.CertContext
	s.each(func(c *windows.CertContext) {
		if certificateID(encoded(c)) == certificateID(der) {
			found = windows.CertDuplicateCertificateContext(c)
		}
	})
	if err := windows.CertDeleteCertificateFromStore(found); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateLayerCutOff(t *testing.T) {
	text, der := makeCertificate(t, "cut")
	content := secret.Plain(text)
	cutOff(t, guestproto.Layer{Kind: "certificate", Name: "ca", Certificate: &guestproto.Certificate{Store: "ca", Content: &content}},
		func(applied bool) {
			if inStore(t, "ca", der) != applied {
				t.Errorf("in the store: %v", !applied)
			}
		})
}

// keysOf counts the machine's containers with a key of a PFX.
func keysOf(t *testing.T, path string, word secret.Text) (containers int, der []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := importPFX(b, &word, windows.PKCS12_NO_PERSIST_KEY)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CertFreeCertificateContext(all[0])
	found, err := keyContainers([]string{publicKeyID(&all[0].CertInfo.SubjectPublicKeyInfo)})
	if err != nil {
		t.Fatal(err)
	}
	return len(found), slices.Clone(encoded(all[0]))
}

// A helper that is killed once the key is on the machine, and its certificate in no store yet, leaves no key for ever.
func TestCertificateLayerWithKeyCutOff(t *testing.T) {
	path := filepath.Join(assets(t), "test.pfx")
	sum, err := fileSHA256(path)
	if err != nil {
		t.Fatal(err)
	}
	word := hidden(planted)
	l := guestproto.Layer{Kind: "certificate", Name: "https", Certificate: &guestproto.Certificate{Store: "my", Password: &word,
		Source: &guestproto.Source{Path: path, SHA256: sum, Name: "test.pfx"}}}
	holds := func(want int) {
		t.Helper()
		if n, _ := keysOf(t, path, word); n != want {
			t.Errorf("%d containers hold the key, not %d", n, want)
		}
	}
	cutOff(t, l, func(applied bool) {
		if applied {
			holds(1)
		} else {
			holds(0)
		}
	})

	// Wine has one container for all keys of PFXs, so that it is the end without another apply which shows it there.
	for _, again := range []bool{true, false} {
		m := windowsMachine(t)
		put(t, m, path)
		seal, writes := m.seal, 0
		m.seal = func(b []byte) ([]byte, error) {
			if writes++; writes == 3 { // the certificate's first two records are of before
				panic(killed{})
			}
			return seal(b)
		}
		func() {
			defer func() { _ = recover() }()
			m.Apply(context.Background(), guestproto.ApplyRequest{Owner: guestproto.Owner{Environment: "test", Instance: "1"}, Layers: numbered(l)}, func(guestproto.Event) {})
		}()
		m.seal = seal
		_, der := keysOf(t, path, word)
		removeCertificate(t, "my", der) // as if it had been killed a moment before
		holds(1)
		if again {
			mustApply(t, m, 0, l)
			holds(1)
			if !inStore(t, "my", der) {
				t.Error("the certificate is not in the store")
			}
		}
		mustApply(t, m, 0)
		holds(0)
	}
}

func TestCertificateLayerWithKey(t *testing.T) {
	m := windowsMachine(t)
	src := put(t, m, filepath.Join(os.Getenv("GUEST_TEST_ASSETS"), "test.pfx"))
	src.Path = ""
	wrong, right := hidden("wrong"), hidden(planted)
	l := guestproto.Layer{Kind: "certificate", Name: "https", Certificate: &guestproto.Certificate{Store: "my", Source: &src, Password: &wrong}}
	if _, err := applied(t, m, 0, l); err == nil || !strings.Contains(err.Error(), "test.pfx: ") {
		t.Errorf("with the wrong password: %v", err)
	}
	l.Certificate.Password = &right
	mustApply(t, m, 0, l)
	noSecretUnder(t, m.Dir)
	keys := 0
	before := storeSize(t, "my") - 1
	s, err := openStore("my")
	if err != nil {
		t.Fatal(err)
	}
	s.each(func(c *windows.CertContext) {
		var h windows.Handle
		var spec uint32
		var free bool
		if windows.CryptAcquireCertificatePrivateKey(c, windows.CRYPT_ACQUIRE_SILENT_FLAG, nil, &h, &spec, &free) == nil {
			keys++
			if free {
				windows.CryptReleaseContext(h, 0)
			}
		}
	})
	s.close()
	if keys != 1 {
		t.Errorf("%d certificates have a key", keys)
	}
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	mustApply(t, m, 0)
	if n := storeSize(t, "my"); n != before {
		t.Errorf("%d certificates are left, %d were there", n, before)
	}
}

func storeSize(t *testing.T, name string) int {
	t.Helper()
	s, err := openStore(name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ids, err := s.ids()
	if err != nil {
		t.Fatal(err)
	}
	return len(ids)
}

// Wine keeps of a task its settings and its description, and nothing of what it runs and when; so this tells the
// tasks apart by their description.
func TestTaskLayer(t *testing.T) {
	const somebody = "made by somebody"
	definition := func() (text string) {
		if err := withTasks(t.Context(), func(f taskFolder) (err error) { text, err = f.definition("envctl-test"); return err }); err != nil {
			t.Fatal(err)
		}
		return text
	}
	before, err := taskXML(&guestproto.Task{Command: "before.exe", On: "boot"}, "")
	if err != nil {
		t.Fatal(err)
	}
	before = strings.Replace(before, "made by envctl", somebody, 1)
	register := func() {
		if err := withTasks(t.Context(), func(f taskFolder) error { return f.register("envctl-test", before, "", "") }); err != nil {
			t.Fatal(err)
		}
	}
	word := hidden(planted)
	l := guestproto.Layer{Kind: "task", Name: "envctl-test", Task: &guestproto.Task{Command: `C:\x.exe`, Args: []string{"a b", "c"}, Daily: "02:30", Account: "svc", Password: &word}}
	check := func(want string) func(bool) {
		return func(applied bool) {
			is := definition()
			if applied && !strings.Contains(is, "made by envctl") || !applied && (want == "" && is != "" || !strings.Contains(is, want)) {
				t.Errorf("applied %v, it is %q", applied, is)
			}
		}
	}
	cutOff(t, l, check(""))
	register()
	cutOff(t, l, check(somebody))

	m := windowsMachine(t)
	mustApply(t, m, 0, l)
	noSecretUnder(t, m.Dir)
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	register()
	if d := driftOf(t, m); d[l.ID()] != "the task was changed" {
		t.Errorf("drifted: %v", d)
	}
	told := fmt.Sprint(observed(t, m).Differences[l.ID()])
	if !strings.Contains(told, "{RegistrationInfo.Description made by envctl made by somebody}") {
		t.Errorf("the differences are %s", told)
	}
	if err := withTasks(t.Context(), func(f taskFolder) error { return f.remove("envctl-test") }); err != nil {
		t.Fatal(err)
	}
	if d := driftOf(t, m); d[l.ID()] != "the task is gone" {
		t.Errorf("drifted: %v", d)
	}
	mustApply(t, m, 0)
	if is := definition(); !strings.Contains(is, somebody) {
		t.Errorf("it came back as %q", is)
	}
	if err := withTasks(t.Context(), func(f taskFolder) error { return f.remove("envctl-test") }); err != nil {
		t.Fatal(err)
	}
}

func TestTaskThatWineCannotRun(t *testing.T) {
	m := windowsMachine(t)
	_, err := applied(t, m, 0, guestproto.Layer{Kind: "task", Name: "envctl-now", Task: &guestproto.Task{Command: "x.exe", RunNow: true}})
	if err == nil || !strings.Contains(err.Error(), "cannot run one") {
		t.Error(err)
	}
	mustApply(t, m, 0)
}

func TestFeatureIsRefusedOverWine(t *testing.T) {
	m := windowsMachine(t)
	_, err := applied(t, m, 0, guestproto.Layer{Kind: "feature", Name: "TelnetClient", Feature: &guestproto.Feature{}})
	if err == nil || !strings.Contains(err.Error(), "needs a real machine") {
		t.Error(err)
	}
	mustApply(t, m, 0)
}
