package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
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
	dir := folder(t, map[string]string{
		"config.json": `{"currentContext": "orbstack"}`,
		"contexts/meta/" + id("orbstack") + "/meta.json": `{"Name":"orbstack","Endpoints":{"docker":{"Host":"unix:///orb.sock"}}}`,
		"contexts/meta/" + id("far") + "/meta.json":      `{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far:2376","SkipTLSVerify":false}}}`,
		"contexts/tls/" + id("far") + "/docker/ca.pem":   "",
	})
	empty := t.TempDir()
	for _, test := range []struct {
		name string
		dir  string
		env  map[string]string
		want endpoint
	}{
		{"default", empty, nil, endpoint{host: client.DefaultDockerHost, from: "the default for " + runtime.GOOS}},
		{"current context", dir, nil, endpoint{host: "unix:///orb.sock", from: `context "orbstack", the current context of ` + filepath.Join(dir, "config.json")}},
		{"context by name", dir, map[string]string{"DOCKER_CONTEXT": "far"}, endpoint{host: "tcp://far:2376", from: `context "far", DOCKER_CONTEXT`,
			tlsDir: filepath.Join(dir, "contexts", "tls", id("far"), "docker"), verify: true}},
		{"default by name", dir, map[string]string{"DOCKER_CONTEXT": "default"}, endpoint{host: client.DefaultDockerHost, from: "the default for " + runtime.GOOS}},
		{"host goes first", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "far"}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST"}},
		{"host with TLS", dir, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"}, endpoint{host: "tcp://h:1", from: "DOCKER_HOST", tlsDir: dir, verify: true}},
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
		})
	}
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
