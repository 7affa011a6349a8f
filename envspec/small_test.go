package envspec

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"512MB": 512 << 20, "1g": 1 << 30, "1.5GB": 3 << 29, "64k": 64 << 10, "100": 100, "2 GiB": 2 << 30, "0": 0,
		"": -1, "MB": -1, "-1MB": -1, "1XB": -1, "1e400GB": -1, "NaN": -1, "Inf": -1, "99999999999TB": -1, "1MB2": -1,
	} {
		n, ok := parseSize(text)
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%q is %d, want %d", text, n, want)
		}
	}
}

func TestLayerValues(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": `
environment "x" {}
credential "svc" {
  username = "svc"
  generate {}
}
windows "pas" {
  source "sandbox" {}
  file "C:\\x" { content = credential.svc.password }
  service "S" { credential = credential.svc }
  user "label" { credential = credential.svc }
  user "own" { password = credential.svc.password }
  odbc "o" {
    driver     = "D"
    attributes = { Server = "s", Port = 5432, PWD = credential.svc.password }
  }
  script "s" {
    run     = "echo ${credential.svc.password}"
    timeout = "90s"
  }
  app "a" { command = "C:\\a.exe" }
  firewall "f" { port = 2575 }
  registry "HKCU\\X" {
    values = {
      ""   = "default"
      Bool = true
      Bin  = { type = "binary", value = "00ff" }
      Text = { type = "sz", value = 12 }
      Num  = { type = "qword", value = "7" }
      Gone = null
    }
  }
  archive "C:\\z" { source = "a.zip" }
  reboot {}
  reboot {}
}
`, "a.zip": "zip"})
	env := evaluate(t, loadDir(t, dir))
	m := env.Machines[0]
	for i := range m.Layers {
		if a := m.Layers[i].Archive; a != nil {
			a.Source.Path = ""
		}
	}
	golden(t, "testdata/layers.json", compact(t, m.Layers))
}

func TestDiagnosticsJSON(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": "environment \"x\" {}\ncontainer \"a\" {\n  imgae = \"<b>\"\n}\nvariable \"v\" { default = 1 }\n"})
	_, diags := Load(options(dir))
	var b bytes.Buffer
	if err := DiagnosticsJSON(&b, diags); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/diagnostics.json", b.String())
	b.Reset()
	if err := DiagnosticsJSON(&b, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("{\n  \"format\": 1,\n  \"valid\": true,\n  \"error_count\": 0,\n  \"warning_count\": 0,\n  \"diagnostics\": []\n}\n", b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteDiagnosticsColourAndTabs(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": "environment \"x\" {}\ncontainer \"é\" {\n\timgae = \"x\"\n}\n"})
	s, diags := Load(options(dir))
	var b bytes.Buffer
	if err := WriteDiagnostics(&b, s.Sources(), diags, 40, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[1;31mError:\x1b[0m", "   3 │     imgae = \"x\"\n     │     \x1b[1;31m^^^^^\x1b[0m\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if strings.HasPrefix(line, "  ") && len([]rune(line)) > 60 {
			t.Errorf("not wrapped: %q", line)
		}
	}
}
