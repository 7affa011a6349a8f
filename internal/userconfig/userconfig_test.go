package userconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.hcl")
	if c, diags := Read(path); c.Network != nil || len(diags) > 0 {
		t.Errorf("a file that is not there: %+v %v", c, diags)
	}
	text := "network {\n  ca_file = [\"a.pem\", \"/b.pem\"]\n  keychain = true\n  proxy = \"http://ann:planted@proxy:1\"\n  no_proxy = \"one.corp\"\n}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, diags := Read(path)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	n := c.Network
	got := []string{n.CAFiles[0].Path, n.CAFiles[1].Path, n.Proxy.Reveal(), n.NoProxy[0]}
	if diff := cmp.Diff([]string{filepath.Join(dir, "a.pem"), "/b.pem", "http://ann:planted@proxy:1", "one.corp"}, got); diff != "" || !n.Keychain || !n.Proxy.Sensitive {
		t.Error(diff)
	}
	if shown := string(c.Source.Bytes); strings.Contains(shown, "planted") || len(shown) != len(text) {
		t.Errorf("the source that is shown: %s", shown)
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"network {":                                      "1: Unclosed configuration block",
		"netwrk {}":                                      "1: Unsupported block type",
		"network {\n  ca_files = \"a\"\n}":               "2: Unsupported argument",
		"network {\n  ca_file = [1, null]\n}":            "2: An empty item",
		"network {\n  ca_file = {}\n}":                   "2: Not what ca_file takes",
		"network {\n  keychain = \"maybe\"\n}":           "2: Not what keychain takes",
		"network {\n  proxy = \"http://a:planted b\"\n}": "2: Not the address of a proxy",
		"network {\n  proxy = null\n}":                   "2: Not what proxy takes",
		"network {}\nnetwork {}":                         "2: A second network block",
	} {
		_, diags := parse([]byte(text), "config.hcl")
		found := ""
		for _, d := range diags {
			found += strings.TrimPrefix(d.Subject.String(), "config.hcl:")[:1] + ": " + d.Summary
			if strings.Contains(d.Detail, "planted") {
				t.Errorf("%q: the login is in %s", text, d.Detail)
			}
		}
		if found != want {
			t.Errorf("%q: %q, not %q", text, found, want)
		}
	}
}
