package floors

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envctl/envctl/envspec"
)

// The snippets of a document are one spec: with the files that they name beside it, it has no mistake.
func TestWhatTheDocumentsShowIsASpec(t *testing.T) {
	var forms bytes.Buffer
	if err := zip.NewWriter(&forms).Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"installers/pas-7.2.msi": "test", // whose digest the document gives
		"forms.zip":              forms.String(),
		"seed.cmd":               "echo seeded",
		"src/main.py":            "print()",
		"worker.conf":            "",
		"db/init.sql":            "",
		"reports/report.py":      "",
		"Dockerfile":             "FROM scratch",
		"secrets/svc":            "a password",
		"lab-ca.pem":             certificate(t),
		"pas.pfx":                "",
		"billing/env.envctl.hcl": "environment \"billing\" { version = \"1.3.0\" }\nvariable \"database\" {}\noutput \"database\" {\n  value = var.database\n}\n",
	}
	for name, vars := range map[string]map[string]string{
		"README.md":        {"pas_host": "192.168.64.5"},
		"docs/language.md": {"token": "a token"},
	} {
		t.Run(name, func(t *testing.T) {
			var spec strings.Builder
			for _, m := range snippet.FindAllStringSubmatch(documents(t)[name], -1) {
				spec.WriteString(m[1])
			}
			dir := t.TempDir()
			for path, content := range files {
				put(t, filepath.Join(dir, path), content)
			}
			put(t, filepath.Join(dir, "env.envctl.hcl"), spec.String())
			loads(t, envspec.LoadOptions{Dir: dir, Vars: vars})
		})
	}
}

func certificate(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, c, c, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestTheQuickstartIsASpec(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../templates/quickstart")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "installers", "pas.msi"), "an installer")
	loads(t, envspec.LoadOptions{Dir: dir})
	loads(t, envspec.LoadOptions{Dir: dir, Vars: map[string]string{"clinic": "Harbourside"}})
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func loads(t *testing.T, o envspec.LoadOptions) {
	t.Helper()
	spec, diags := envspec.Load(o)
	if !diags.HasErrors() {
		return
	}
	var shown bytes.Buffer
	if err := envspec.WriteDiagnostics(&shown, spec.Sources(), diags, 0, false); err != nil {
		t.Fatal(err)
	}
	t.Error(shown.String())
}
