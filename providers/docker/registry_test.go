package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"golang.org/x/crypto/bcrypt"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

const (
	registryUser     = "puller"
	registryPassword = "planted-registry-password"
)

// privateRegistry starts Debian's docker-registry, which wants a password, and gives its address.
func privateRegistry(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
			t.Fatal("docker-registry is needed; `make test` gets it:", err)
		}
		t.Skip("docker-registry is needed; `make test` gets it:", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	hash, err := bcrypt.GenerateFromPassword([]byte(registryPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string]string{"htpasswd": registryUser + ":" + string(hash) + "\n"})
	config := filepath.Join(dir, "config.yml")
	write(t, config, fmt.Sprintf("version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: %q\nhttp:\n  addr: %s\n"+
		"auth:\n  htpasswd:\n    realm: test\n    path: %q\n", filepath.Join(dir, "data"), address, filepath.Join(dir, "htpasswd")))
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("docker-registry ended: %v\n%s", err, said.String())
		case <-deadline:
			t.Fatal("docker-registry does not answer")
		case <-tick.C:
			if resp, err := plain.Get("http://" + address + "/v2/"); err == nil {
				_ = resp.Body.Close()
				return address
			}
		}
	}
}

// push puts a small image into the registry and takes it off the engine.
func (w *world) push(ref string) {
	w.t.Helper()
	platform, err := w.p.Platform(w.ctx)
	w.must(err)
	loaded, err := w.p.api.ImageLoad(w.ctx, foreignImage(w.t, ref, platform))
	w.must(err)
	_, err = io.Copy(io.Discard, loaded.Body)
	w.must(errors.Join(err, loaded.Body.Close()))
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: registryUser, Password: registryPassword})
	w.must(err)
	body, err := w.p.api.ImagePush(w.ctx, ref, image.PushOptions{RegistryAuth: auth})
	w.must(err)
	w.must(errors.Join(readMessages(body, func(message) {}), body.Close()))
	w.forget(ref)
}

func (w *world) forget(ref string) {
	w.t.Helper()
	if _, err := w.p.api.ImageRemove(w.ctx, ref, image.RemoveOptions{}); err != nil && !isNotFound(err) {
		w.t.Error(err)
	}
}

func login(address, password string) string {
	both := base64.StdEncoding.EncodeToString([]byte(registryUser + ":" + password))
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, address, both)
}

func TestPrivateRegistry(t *testing.T) {
	address := privateRegistry(t)
	w := newWorld(t)
	ref := address + "/dockertest/private:1"
	w.push(ref)
	t.Cleanup(func() { _, _ = w.p.api.ImageRemove(context.WithoutCancel(w.ctx), ref, image.RemoveOptions{}) })

	// A helper as docker's configuration names it.
	bin := folder(t, map[string]string{"docker-credential-dockertest": fmt.Sprintf(
		"#!/bin/sh\nread server\n[ \"$1 $server\" = 'get %s' ] || exit 1\necho '{\"Username\":%q,\"Secret\":%q}'\n", address, registryUser, registryPassword)})
	if err := os.Chmod(filepath.Join(bin, "docker-credential-dockertest"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	for _, test := range []struct{ name, config, platform, fails string }{
		{name: "no credentials", config: `{}`, fails: "`docker login " + address + "`"},
		{name: "a wrong password", config: login(address, "wrong"), fails: "`docker login " + address + "`"},
		{name: "a name that is not there", config: login(address, registryPassword), fails: "see that the name and tag are right"},
		{name: "another platform", config: login(address, registryPassword), platform: "linux/s390x", fails: "set `platform` to one that it has"},
		{name: "docker login", config: login(address, registryPassword)},
		{name: "a credential helper", config: fmt.Sprintf(`{"credHelpers":{%q:"dockertest"}}`, address)},
	} {
		for _, setting := range []string{"", "1", "0"} { // a pull, and a build FROM it with each builder
			if setting != "" && (test.platform != "" || strings.Contains(test.name, "not there")) {
				continue // the engine says it in its own words
			}
			t.Run(test.name+setting, func(t *testing.T) {
				w.forget(ref)
				p := engine(t, Options{ConfigDir: folder(t, map[string]string{"config.json": test.config}), Getenv: func(k string) string {
					if k == "DOCKER_BUILDKIT" {
						return setting
					}
					return os.Getenv(k)
				}})
				c := sleeper("app")
				c.Image, c.Platform = ref, test.platform
				if strings.Contains(test.name, "not there") {
					c.Image += "-not"
				}
				if setting != "" {
					c.Image, c.Build = "", &envspec.Build{Inline: "FROM " + ref + "\nCOPY a /a-" + w.instance.ID + setting + test.name[2:5] + "\n",
						Context: folder(t, map[string]string{"a": test.name})}
				}
				err := p.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: node(c, "1")}, w.sink)
				switch {
				case test.fails == "" && err != nil:
					t.Error(err)
				case test.fails != "" && (err == nil || setting == "" && !strings.Contains(err.Error(), test.fails)):
					t.Errorf("error %v", err)
				}
			})
		}
	}
	if strings.Contains(w.said(), registryPassword) {
		t.Error("the password was said")
	}
}
