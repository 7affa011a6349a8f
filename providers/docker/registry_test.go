package docker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/registrytest"
	"github.com/envctl/envctl/providers"
)

const (
	registryUser     = "puller"
	registryPassword = "planted-registry-password"
)

// push puts an image of small layers into the registry and takes it off the engine.
func (w *world) push(ref string, layers ...[]byte) {
	w.t.Helper()
	platform, err := w.p.Platform(w.ctx)
	w.must(err)
	loaded, err := w.p.api.ImageLoad(w.ctx, imageArchive(w.t, ref, platform, layers...))
	w.must(err)
	_, err = io.Copy(io.Discard, loaded.Body)
	w.must(errors.Join(err, loaded.Body.Close()))
	w.send(ref)
}

// send puts an image of the engine into a registry and takes it off the engine.
func (w *world) send(ref string) {
	w.t.Helper()
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
	address := registrytest.Start(t, registryUser+":"+registryPassword)
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
