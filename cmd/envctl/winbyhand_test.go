package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
)

// olderSecret is put where a secret is, as somebody does who restores an old file. Neither it nor its digest may show.
const olderSecret = "0lder-s3cret"

// changeWindowsByHand edits the quickstart's machine as people do, a layer of each kind that Wine has.
func changeWindowsByHand(t *testing.T, e *env) {
	ca, thumbprint := authority(t)
	e.write("ca.pem", ca)
	e.edit("env.envctl.hcl", "  firewall \"pas-api\"", `  env "PAS_MODE" { value = "test" }
  registry "HKLM\\SOFTWARE\\PAS\\Login" {
    values = { Password = credential.db.password }
  }
  certificate "lab-ca" {
    store   = "ca"
    content = file("ca.pem")
  }
  task "nightly" {
    command = "C:\\PAS\\export.exe"
    daily   = "02:30"
  }
  firewall "pas-api"`)
	e.must("up")
	nothingToDo := func() {
		t.Helper()
		if out, errs, code := e.run("plan", "--detailed-exitcode"); code != 0 {
			t.Errorf("plan --detailed-exitcode: %d\n%s%s", code, out, errs)
		}
	}
	nothingToDo()

	const machineEnvironment = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`
	const rules = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules`
	blocked := "v2.10|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=2575|Name=envctl pas-hl7 tcp 2575|"
	edits := []struct {
		layer  string
		by     []string
		values []string
	}{
		// From the bottom of the stack to its top.
		{`registry.HKLM\SOFTWARE\PAS`, []string{"reg", "add", `HKLM\SOFTWARE\PAS`, "/v", "DbName", "/d", "elsewhere", "/f"}, []string{"values.DbName: elsewhere -> practice"}},
		{`file.C:\ProgramData\PAS\db.secret`, []string{"cmd", "/c", "echo " + olderSecret + `>C:\ProgramData\PAS\db.secret`}, []string{"content: (sensitive, changed) -> (sensitive)"}},
		{"service.PasSvc", []string{"net", "stop", "PasSvc"}, []string{"state: stopped -> running"}},
		{"env.PAS_MODE", []string{"reg", "add", machineEnvironment, "/v", "PAS_MODE", "/d", "live", "/f"}, []string{"value: live -> test"}},
		{`registry.HKLM\SOFTWARE\PAS\Login`, []string{"reg", "add", `HKLM\SOFTWARE\PAS\Login`, "/v", "Password", "/d", olderSecret, "/f"}, []string{"values.Password: (sensitive, changed) -> (sensitive)"}},
		{"certificate.lab-ca", []string{"reg", "delete", `HKLM\SOFTWARE\Microsoft\SystemCertificates\CA\Certificates\` + thumbprint, "/f"}, nil},
		{"task.nightly", []string{"cmd", "/c", `del C:\windows\system32\tasks\nightly`}, nil},
		{"firewall.pas-hl7", []string{"reg", "add", rules, "/v", "envctl pas-hl7 tcp 2575", "/d", blocked, "/f"}, []string{"action: block -> allow"}},
	}
	// mended holds a plan to saying of these layers, the lowest first, that they were changed by hand, and up to
	// mending the machine from the lowest of them on.
	mended := func(from int) {
		t.Helper()
		c := e.onlyChange("windows.pas", "update")
		if !strings.HasPrefix(c.Cause, edits[from].layer+": changed by hand: ") {
			t.Errorf("the cause is %q", c.Cause)
		}
		told := map[string][]string{}
		for _, l := range c.Layers {
			if l.Action != "apply" || !strings.Contains(l.Cause, "changed by hand: ") {
				continue
			}
			told[l.Name] = []string{}
			for _, v := range l.Values {
				told[l.Name] = append(told[l.Name], fmt.Sprintf("%s: %s -> %s", v.Name, v.Old, v.New))
			}
		}
		for _, edit := range edits[from:] {
			if got, ok := told[edit.layer]; !ok || edit.values != nil && !slices.Equal(got, edit.values) {
				t.Errorf("of %s is told %q (%v)", edit.layer, got, ok)
			}
		}
		if len(told) != len(edits)-from {
			t.Errorf("changed by hand are %v", told)
		}
		if _, _, code := e.run("plan", "--detailed-exitcode"); code != 2 {
			t.Errorf("plan --detailed-exitcode: %d", code)
		}
		e.must("plan")
		e.must("plan", "--out", "drifted.json")
		e.must("up", "--json")
		nothingToDo()
		if _, errs, _ := e.run("up"); !strings.Contains(errs, "Nothing to change") {
			t.Errorf("a second up: %s", errs)
		}
	}
	for _, edit := range edits {
		e.must(append([]string{"exec", "windows.pas", "--"}, edit.by...)...)
	}
	mended(0)
	// The topmost alone: what is under it stays.
	top := len(edits) - 1
	e.must(append([]string{"exec", "windows.pas", "--"}, edits[top].by...)...)
	if c := e.onlyChange("windows.pas", "update"); len(c.Layers) < 2 || c.Layers[len(c.Layers)-3].Action != "keep" {
		t.Errorf("the layers are %+v", c.Layers)
	}
	mended(top)

	places := map[string]string{"what envctl printed": e.seen.String(), "the plan": e.read("drifted.json"),
		"the manifest": e.must("exec", "windows.pas", "--", "cmd", "/c", "type", `C:\ProgramData\envctl\manifest.json`)}
	for _, path := range files(e.state) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		places[path] = string(text)
	}
	for name, text := range places {
		for _, word := range []string{olderSecret, guestproto.Digest(olderSecret), guestproto.Digest(olderSecret + "\r\n")} {
			if strings.Contains(text, strings.TrimPrefix(word, "sha256:")) {
				t.Errorf("what was found in place of a secret is in %s as %s", name, word)
			}
		}
	}
}

// authority makes a certificate, in PEM, and gives the name that Windows keeps it under.
func authority(t *testing.T) (text, thumbprint string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "envctl test lab"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), fmt.Sprintf("%X", sha1.Sum(der))
}
