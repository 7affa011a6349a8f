package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/egress/egresstest"
)

const proxied = `
environment "proxied" {}

container "app" {
  build { inline = "FROM debian:trixie-slim\nRUN /usr/lib/apt/apt-helper download-file https://build.test/NONCE /got" }
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
}
`

// bridge is the host's address on the engine's own network, which containers of every network reach.
func bridge(t *testing.T) string {
	t.Helper()
	i, err := net.InterfaceByName("docker0")
	if err != nil {
		t.Fatal("this test needs the engine's docker0 bridge on this computer: ", err)
	}
	list, err := i.Addrs()
	if err != nil || len(list) == 0 {
		t.Fatalf("docker0 has no address: %v", err)
	}
	ip, _, err := net.ParseCIDR(list[0].String())
	if err != nil {
		t.Fatal(err)
	}
	return ip.String()
}

// userConfig writes the user's configuration.
func (e *env) userConfig(text string) {
	e.t.Helper()
	dir := filepath.Join(e.state, "envctl")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.hcl"), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// nowhere looks for a word that only the user's configuration and the environment of container.app may hold.
func (e *env) nowhere(word string) {
	e.t.Helper()
	id := container(e.t, e.instance(), "container.app")
	var is []map[string]any
	if err := json.Unmarshal([]byte(strings.Join(docker(e.t, "inspect", id), " ")), &is); err != nil {
		e.t.Fatal(err)
	}
	config, _ := is[0]["Config"].(map[string]any)
	if !strings.Contains(fmt.Sprint(config["Env"]), word) {
		e.t.Errorf("it is not even in the environment: %v", config["Env"])
	}
	delete(config, "Env")
	image := fmt.Sprint(config["Image"])
	for name, text := range map[string]string{
		"what envctl said": e.seen.String(), "a plan": e.read("plan.json"), "the container": fmt.Sprint(is),
		"its image":            fmt.Sprint(docker(e.t, "image", "inspect", image)),
		"its image's history":  fmt.Sprint(docker(e.t, "image", "history", "--no-trunc", image)),
		"the instance network": fmt.Sprint(docker(e.t, append([]string{"network", "inspect"}, docker(e.t, "network", "ls", "-q", "--filter", label(e.instance()))...)...)),
	} {
		if strings.Contains(text, word) {
			e.t.Errorf("%s is in %s", word, name)
		}
	}
	err := filepath.WalkDir(e.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "config.hcl" {
			return err
		}
		if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), word) {
			e.t.Errorf("%s is in %s, %v", word, path, err)
		}
		return nil
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

// TestDownloadBehindAnInspectingProxy locks an installer that is somewhere in the web.
func TestDownloadBehindAnInspectingProxy(t *testing.T) {
	const login = "planted-proxy-password"
	e := newContainerEnv(t, "ENVCTL_CACHE_DIR="+t.TempDir())
	p := egresstest.Start(t, "127.0.0.1", "ann:"+login)
	e.write("env.envctl.hcl", "environment \"far\" {}\nwindows \"pas\" {\n  source \"sandbox\" {}\n  package \"pas\" { source = \"https://files.test/pas.msi?token=abc\" }\n}\n")
	e.write("ca.pem", p.CA)
	proxy := "  proxy = \"" + strings.Replace(p.URL, "http://", "http://ann:"+login+"@", 1) + "\"\n"
	e.userConfig("network {\n" + proxy + "}\n")
	_, errs, code := e.run("lock")
	for _, want := range []string{"inspects TLS", egresstest.Issuer, "`ca_file`", filepath.Join(e.state, "envctl", "config.hcl")} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("without the CA: %q is missing, exit code %d: %s", want, code, errs)
		}
	}
	e.userConfig("network {\n" + proxy + "  ca_file = \"" + filepath.Join(e.dir, "ca.pem") + "\"\n}\n")
	e.must("lock")
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(egresstest.Answer))); !strings.Contains(e.read("envctl.lock.hcl"), want) {
		t.Errorf("%s is not in %s", want, e.read("envctl.lock.hcl"))
	}
	if seen := strings.Join(p.Seen(), " "); seen != "files.test" || strings.Contains(e.seen.String(), login) {
		t.Errorf("the proxy was asked for %s; said:\n%s", seen, e.seen.String())
	}
}

func TestCorporateNetwork(t *testing.T) {
	t.Parallel()
	const login = "planted-proxy-password"
	e := newContainerEnv(t)
	p := egresstest.Start(t, bridge(t), "ann:"+login)
	t.Cleanup(func() { e.run("down", "--volumes") })
	// A step that was cached would not ask again.
	spec := strings.Replace(proxied, "NONCE", filepath.Base(filepath.Dir(filepath.Dir(e.dir)))+filepath.Base(p.URL), 1)
	e.write("env.envctl.hcl", spec)
	e.write("ca.pem", p.CA)
	url := strings.Replace(p.URL, "http://", "http://ann:"+login+"@", 1)
	config := "network {\n  ca_file  = \"" + filepath.Join(e.dir, "ca.pem") + "\"\n  proxy    = \"" + url + "\"\n  no_proxy = [\"intranet.corp\"]\n}\n"

	// The proxy alone: the build fails, and says what to do.
	e.userConfig("network { proxy = \"" + url + "\" }\n")
	_, errs, code := e.run("up")
	if code != 1 || !strings.Contains(errs, "inspects TLS") || !strings.Contains(errs, filepath.Join(e.state, "envctl", "config.hcl")) {
		t.Errorf("without the CA: exit code %d: %s", code, errs)
	}
	e.userConfig(config)
	e.must("up")
	if got := e.must("exec", "app", "--", "/usr/lib/apt/apt-helper", "-o", "Acquire::https::CaInfo=/etc/envctl/ca-bundle.pem", "download-file", "https://run.test/x", "/got"); strings.Contains(got, "Err") {
		t.Errorf("in the container: %s", got)
	}
	if seen := strings.Join(p.Seen(), " "); seen != "build.test run.test" {
		t.Errorf("the proxy was asked for %s", seen)
	}
	if got := e.must("exec", "app", "--", "printenv", "NO_PROXY"); got != "127.0.0.1,::1,app,host.docker.internal,intranet.corp,localhost\n" {
		t.Errorf("NO_PROXY is %s", got)
	}
	if c := e.changes(); len(c) != 0 {
		t.Errorf("a second up would do %+v", c)
	}
	e.must("plan", "--out", "plan.json")
	e.must("logs", "app")
	e.nowhere(login)

	// What changes is named; a new neighbour changes nothing.
	e.edit("env.envctl.hcl", "container \"app\"", "container \"other\" { image = \"debian:trixie-slim\" }\ncontainer \"app\"")
	e.onlyChange("container.other", "create")
	e.write("env.envctl.hcl", spec)
	e.write("ca.pem", p.CA+egresstest.Start(t, "127.0.0.1", "").CA)
	if c := e.onlyChange("container.app", "replace"); c.Cause != "network.ca changed" {
		t.Errorf("another CA: %s", c.Cause)
	}
	e.write("ca.pem", p.CA)
	e.userConfig(strings.Replace(config, login, "another", 1))
	if c := e.onlyChange("container.app", "replace"); !strings.Contains(c.Cause, "network.http_proxy, network.https_proxy changed") {
		t.Errorf("another login: %s", c.Cause)
	}
	e.vars = append(e.vars, "ENVCTL_PROXY=")
	if c := e.onlyChange("container.app", "replace"); !strings.Contains(c.Cause, "removed") {
		t.Errorf("ENVCTL_PROXY set to nothing: %s", c.Cause)
	}

	// Mistakes have their line, and do not show the login.
	e.userConfig("network {\n  proxi = \"" + url + "\"\n  keychain = true\n  ca_file = \"nowhere.pem\"\n}\n")
	_, errs, code = e.run("up")
	for _, want := range []string{"config.hcl line 2", "Did you mean \"proxy\"", "config.hcl line 4", "no such file"} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("a mistake: %q is missing, exit code %d: %s", want, code, errs)
		}
	}
	if strings.Contains(e.seen.String(), login) {
		t.Error("the proxy's password is shown with a mistake")
	}
}
