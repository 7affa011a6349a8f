package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

// hub is the name under which the docker command keeps the credentials of docker.io.
const hub = "https://index.docker.io/v1/"

// authStore finds the credentials of registries where `docker login` put them.
type authStore struct{ config config }

// header gives what authenticates a pull of ref; it is empty but valid where there are no credentials.
func (s authStore) header(ctx context.Context, ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", fmt.Errorf("image %q: %w; write it as in \"postgres:17\" or \"ghcr.io/acme/app:1\"", ref, err)
	}
	a, err := s.lookup(ctx, reference.Domain(named))
	if err != nil {
		return "", err
	}
	return registry.EncodeAuthConfig(a)
}

// configs gives the credentials for the registries of several images, by the name that a build asks for.
func (s authStore) configs(ctx context.Context, refs []string) (map[string]registry.AuthConfig, error) {
	all := map[string]registry.AuthConfig{}
	for _, ref := range refs {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			continue // an id, or a name that the engine will refuse in its own words
		}
		server := serverKey(reference.Domain(named))
		if _, ok := all[server]; ok {
			continue
		}
		a, err := s.lookup(ctx, reference.Domain(named))
		if err != nil {
			return nil, err
		}
		if a != (registry.AuthConfig{}) {
			all[server] = a
		}
	}
	return all, nil
}

func serverKey(domain string) string {
	if domain == "docker.io" {
		return hub
	}
	return domain
}

func (s authStore) lookup(ctx context.Context, domain string) (registry.AuthConfig, error) {
	server := serverKey(domain)
	helper := s.config.CredsStore
	if h, ok := s.config.CredHelpers[domain]; ok {
		helper = h
	}
	if helper != "" {
		a, err := fromHelper(ctx, helper, server)
		if err != nil || a != (registry.AuthConfig{}) {
			return a, err
		}
	}
	for name, a := range s.config.Auths {
		if name == server || strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://"), "/") == server {
			return a.decode(server)
		}
	}
	return registry.AuthConfig{}, nil
}

func (a auth) decode(server string) (registry.AuthConfig, error) {
	out := registry.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, ServerAddress: server}
	if a.Auth == "" {
		return out, nil
	}
	text, err := base64.StdEncoding.DecodeString(a.Auth)
	user, password, ok := strings.Cut(string(text), ":")
	if err != nil || !ok {
		return out, fmt.Errorf("docker's configuration has credentials for %s that cannot be read; `docker login %s` again", server, server)
	}
	out.Username, out.Password = user, strings.TrimRight(password, "\x00")
	return out, nil
}

// fromHelper asks docker-credential-HELPER, which reads a server's name and answers with JSON.
func fromHelper(ctx context.Context, helper, server string) (registry.AuthConfig, error) {
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get")
	cmd.Stdin = strings.NewReader(server)
	var said bytes.Buffer
	cmd.Stdout = &said
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return registry.AuthConfig{}, nil // docker's own command goes on without, and so can a public image
		}
		if strings.Contains(said.String(), "credentials not found") {
			return registry.AuthConfig{}, nil
		}
		return registry.AuthConfig{}, fmt.Errorf("docker-credential-%s, asked for the credentials of %s: %w: %s; `docker login %s` again",
			helper, server, err, strings.TrimSpace(said.String()), server)
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(said.Bytes(), &got); err != nil {
		// What it said may hold the credentials, so it is not shown.
		return registry.AuthConfig{}, fmt.Errorf("docker-credential-%s answered with what is not JSON; `docker login %s` again", helper, server)
	}
	if got.Username == "<token>" {
		return registry.AuthConfig{IdentityToken: got.Secret, ServerAddress: server}, nil
	}
	return registry.AuthConfig{Username: got.Username, Password: got.Secret, ServerAddress: server}, nil
}
