package docker

import (
	"strings"
	"testing"
)

func TestWhereAnEngineIs(t *testing.T) {
	for _, test := range []struct {
		host, said string
		remote     bool
	}{
		{"unix:///var/run/docker.sock", "", false},
		{"unix:///tmp/tunnel.sock", "remote", true},
		{"npipe:////./pipe/docker_engine", "", false},
		{"ssh://box", "", true},
		{"ssh://box", "local", false},
		{"ssh://localhost", "", true}, // it may be a tunnel, and what it reaches is not seen from here
		{"tcp://build.example:2376", "", true},
		{"tcp://192.0.2.1:2376", "", true},
		{"tcp://127.0.0.1:2375", "local", false},
		{"tcp://localhost:2375", "remote", true},
	} {
		p, err := New(Options{ConfigDir: t.TempDir(), Getenv: func(k string) string {
			return map[string]string{"DOCKER_HOST": test.host, engineEnv: test.said}[k]
		}})
		if err != nil && strings.HasPrefix(test.host, "npipe") {
			continue // of Windows alone
		}
		if err != nil {
			t.Fatal(err)
		}
		if remote, err := p.Remote(t.Context()); err != nil || remote != test.remote {
			t.Errorf("%s, %s=%q: remote %t, %v", test.host, engineEnv, test.said, remote, err)
		}
		p.Close()
	}
	p, err := New(Options{ConfigDir: t.TempDir(), Getenv: func(k string) string { return map[string]string{engineEnv: "far"}[k] }})
	if err == nil {
		defer p.Close()
		_, err = p.Remote(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "remote or local") {
		t.Errorf("neither remote nor local: %v", err)
	}
}
