package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"

	"github.com/docker/docker/client"
)

func TestEndpointIsChosenAsDockerDoes(t *testing.T) {
	id := func(name string) string {
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:])
	}
	context := func(name, host string, skipVerify bool) string {
		return fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":{"Host":%q,"SkipTLSVerify":%t}}}`, name, host, skipVerify)
	}
	dir := folder(t, map[string]string{
		"config.json": `{"currentContext": "orbstack"}`,
		"ca.pem":      "", "cert.pem": "", "key.pem": "", "certs/ca.pem": "",
		"contexts/meta/" + id("orbstack") + "/meta.json":  context("orbstack", "unix:///orb.sock", false),
		"contexts/meta/" + id("far") + "/meta.json":       context("far", "tcp://far:2376", false),
		"contexts/tls/" + id("far") + "/docker/ca.pem":    "",
		"contexts/meta/" + id("whoever") + "/meta.json":   context("whoever", "tcp://whoever:2376", true),
		"contexts/meta/" + id("box") + "/meta.json":       context("box", "ssh://me@box", false),
		"contexts/meta/" + id("mine") + "/meta.json":      context("mine", "tcp://mine:2376", false),
		"contexts/tls/" + id("mine") + "/docker/cert.pem": "",
		"contexts/tls/" + id("mine") + "/docker/key.pem":  "",
	})
	empty := t.TempDir()
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	verified := tlsFiles{on: true, ca: in("ca.pem"), cert: in("cert.pem"), key: in("key.pem")}
	withWhomever := verified
	withWhomever.skipVerify = true
	usual := "the default for " + runtime.GOOS
	for _, test := range []struct {
		name string
		dir  string
		env  map[string]string
		want endpoint
	}{
		{"default", empty, nil, endpoint{host: client.DefaultDockerHost, from: usual}},
		{"current context", dir, nil, endpoint{host: "unix:///orb.sock", from: `context "orbstack", the current context of ` + in("config.json")}},
		{"context by name", dir, map[string]string{"DOCKER_CONTEXT": "far"}, endpoint{host: "tcp://far:2376", from: `context "far", DOCKER_CONTEXT`,
			tls: tlsFiles{on: true, ca: in("contexts", "tls", id("far"), "docker", "ca.pem")}}},
		{"a context's TLS is its own", dir, map[string]string{"DOCKER_CONTEXT": "box", "DOCKER_TLS_VERIFY": "1"}, endpoint{host: "ssh://me@box", from: `context "box", DOCKER_CONTEXT`}},
		{"context with whomever", dir, map[string]string{"DOCKER_CONTEXT": "whoever"}, endpoint{host: "tcp://whoever:2376", from: `context "whoever", DOCKER_CONTEXT`, tls: tlsFiles{on: true, skipVerify: true}}},
		{"context with a certificate alone", dir, map[string]string{"DOCKER_CONTEXT": "mine"}, endpoint{host: "tcp://mine:2376", from: `context "mine", DOCKER_CONTEXT`,
			tls: tlsFiles{on: true, cert: in("contexts", "tls", id("mine"), "docker", "cert.pem"), key: in("contexts", "tls", id("mine"), "docker", "key.pem")}}},
		{"default by name", dir, map[string]string{"DOCKER_CONTEXT": "default"}, endpoint{host: client.DefaultDockerHost, from: usual}},
		{"host goes first", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "far"}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST"}},
		{"host with TLS", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST", tls: verified}},
		{"host with TLS with whomever", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS": "1"}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST", tls: withWhomever}},
		{"certificates elsewhere", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": in("certs")},
			endpoint{host: "tcp://h:1", from: "DOCKER_HOST", tls: tlsFiles{on: true, ca: in("certs", "ca.pem")}}},
		{"certificates alone are no TLS", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_CERT_PATH": in("certs")}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST"}},
		{"TLS without a host", dir, map[string]string{"DOCKER_CONTEXT": "default", "DOCKER_TLS_VERIFY": "1"}, endpoint{host: "tcp://localhost:2376", from: "the default with TLS", tls: verified}},
		{"a host without a scheme", dir, map[string]string{"DOCKER_HOST": "h:1"}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST"}},
		{"a host without a port", dir, map[string]string{"DOCKER_HOST": " tcp://h "}, endpoint{host: "tcp://h:2375", from: "DOCKER_HOST"}},
		{"a host with a path", dir, map[string]string{"DOCKER_HOST": "tcp://h:1/docker"}, endpoint{host: "tcp://h:1/docker", from: "DOCKER_HOST"}},
		{"the usual socket", dir, map[string]string{"DOCKER_HOST": "unix://"}, endpoint{host: "unix:///var/run/docker.sock", from: "DOCKER_HOST"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			getenv := func(k string) string { return test.env[k] }
			c, err := loadConfig(test.dir, getenv)
			if err != nil {
				t.Fatal(err)
			}
			got, err := chooseEndpoint(c, getenv)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("chose %+v, want %+v", got, test.want)
			}
			if docker, ok := dockerChooses(t, test.dir, test.env); ok && docker != got.host {
				t.Errorf("chose %s, and the docker command %s", got.host, docker)
			}
		})
	}
	for _, host := range []string{"http://h:1", "carrier-pigeon://h", "tcp://h:port"} {
		if got, err := parseHost(host); err == nil {
			t.Errorf("%s is taken for %s", host, got)
		}
	}
}

// dockerChooses asks the docker command where it would go; false is that there is none.
func dockerChooses(t *testing.T, dir string, env map[string]string) (string, bool) {
	t.Helper()
	docker, err := exec.LookPath("docker")
	if err != nil {
		return "", false
	}
	cmd := exec.Command(docker, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	cmd.Env = []string{"DOCKER_CONFIG=" + dir, "HOME=" + dir}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker context inspect: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out)), true
}

func TestRegistryCredentials(t *testing.T) {
	bin := t.TempDir()
	helper := "#!/bin/sh\nread server\ncase $server in ghcr.io) echo '{\"Username\":\"u\",\"Secret\":\"s\"}';; tok.io) echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}';; bad.io) echo boom; exit 1;; *) echo credentials not found in native keychain; exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	s := authStore{config{
		Auths:       map[string]auth{"https://index.docker.io/v1/": {Auth: "aHViOnB3OjE="}, "https://own.io/": {IdentityToken: "id"}, "odd.io": {Auth: "%"}},
		CredHelpers: map[string]string{"ghcr.io": "test", "tok.io": "test", "bad.io": "test", "own.io": "test", "gone.io": "not-installed"},
	}}
	for domain, want := range map[string]registry.AuthConfig{
		"docker.io": {Username: "hub", Password: "pw:1", ServerAddress: hub},
		"ghcr.io":   {Username: "u", Password: "s", ServerAddress: "ghcr.io"},
		"tok.io":    {IdentityToken: "t", ServerAddress: "tok.io"},
		"own.io":    {IdentityToken: "id", ServerAddress: "own.io"},
		"gone.io":   {},
		"none.io":   {},
	} {
		got, err := s.lookup(t.Context(), domain)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", domain, err, diff)
		}
	}
	for domain, want := range map[string]string{"bad.io": "boom", "odd.io": "docker login odd.io"} {
		if _, err := s.lookup(t.Context(), domain); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", domain, err)
		}
	}
}

func TestPullErrorsSayWhatToDo(t *testing.T) {
	for text, want := range map[string]string{
		"toomanyrequests: You have reached your pull rate limit": "docker login docker.io",
		"no matching manifest for linux/arm64/v8 in the list":    "set `platform`",
		"pull access denied for x, repository does not exist":    "if the image is private",
		"manifest for x:y not found: manifest unknown":           "name and tag are right",
		"dial tcp: lookup registry-1.docker.io: no such host":    "reach docker.io",
	} {
		if err := pullError("x:y", "linux/arm64", textError(text)); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

type textError string

func (e textError) Error() string { return string(e) }
