package docker

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/hostlink"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// ConfiguredProxies gives the proxies that the docker command's configuration has for containers and builds on this
// engine, by variable, and what is reached without.
func (p *Provider) ConfiguredProxies() (proxies map[string]secret.Text, noProxy []string) {
	c := p.auth.config.Proxies
	set, ok := c[p.endpoint.host]
	if !ok {
		set = c["default"]
	}
	for name, text := range map[string]string{
		"HTTP_PROXY": set.HTTPProxy, "HTTPS_PROXY": set.HTTPSProxy, "FTP_PROXY": set.FTPProxy, "ALL_PROXY": set.AllProxy,
	} {
		if proxy, ok := egress.ProxyURL(text); ok && text != "" {
			if proxies == nil {
				proxies = map[string]secret.Text{}
			}
			proxies[name] = proxy
		}
	}
	if set.NoProxy != "" && proxies != nil {
		noProxy = strings.Split(set.NoProxy, ",")
	}
	return proxies, noProxy
}

// withEgress gives body with what its programs need to get out. What the spec sets itself stays.
func withEgress(body *envspec.Container) *envspec.Container {
	s := body.Egress
	if s == nil {
		return body
	}
	c := *body
	c.Env = s.ProxyEnv()
	for name, path := range s.CAEnv() {
		c.Env[name] = secret.Plain(path)
	}
	maps.Copy(c.Env, body.Env)
	if s.CA != "" {
		c.Files = append(slices.Clone(body.Files),
			envspec.File{Path: egress.CAPath, Content: secret.Plain(s.CA), Mode: 0o644},
			envspec.File{Path: egress.BundlePath, Mode: 0o644}) // its content comes once the image can be looked into
	}
	if namesHost(s) && body.NetworkMode == "" {
		c.ExtraHosts = map[string]string{hostlink.Host: "host-gateway"}
		maps.Copy(c.ExtraHosts, body.ExtraHosts)
	}
	return &c
}

// namesHost reports whether a proxy runs on the engine's host.
func namesHost(s *egress.Settings) bool {
	for _, v := range s.Proxies {
		if u, err := url.Parse(v.Reveal()); err == nil && u.Hostname() == hostlink.Host {
			return true
		}
	}
	return false
}

// imageBundles are where distributions keep the authorities they trust, as one file.
var imageBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",             // SUSE
	"/etc/ssl/cert.pem",
}

// fillBundle gives the bundle among files its content: what the container's own image trusts, and the CAs.
func (p *Provider) fillBundle(ctx context.Context, id string, body *envspec.Container) error {
	for i, f := range body.Files {
		if body.Egress == nil || f.Path != egress.BundlePath {
			continue
		}
		usual, err := p.imageBundle(ctx, id)
		if err != nil {
			return fmt.Errorf("reading which CAs its image trusts: %w", err)
		}
		body.Files[i].Content = secret.Plain(body.Egress.Bundle(usual))
	}
	return nil
}

// imageBundle reads what a container's image trusts; "" is nothing.
func (p *Provider) imageBundle(ctx context.Context, id string) (string, error) {
	for _, path := range imageBundles {
		real, _, there, err := p.stat(ctx, providers.Observed{Handle: id}, path)
		if err != nil {
			return "", err
		}
		if !there {
			continue
		}
		text, err := p.readFile(ctx, id, real)
		if err != nil {
			return "", err
		}
		if strings.Contains(string(text), "BEGIN CERTIFICATE") {
			return string(text), nil
		}
	}
	return "", nil
}

// inspected adds to an error that tells of a TLS failure what it looks like and what to do about it. Nil stays nil.
func (p *Provider) inspected(err error, s *egress.Settings) error {
	if err == nil {
		return nil
	}
	issuer, yes := egress.Inspected(err.Error())
	if !yes {
		return err
	}
	return fmt.Errorf("%w\n%s; %s", err, egress.Suspicion(issuer), egress.Remedy(p.userConfig, s))
}

// inspectedPull does so for what the engine itself fetches: it trusts what its own host does, whatever we are told.
func (p *Provider) inspectedPull(ctx context.Context, domain string, err error) error {
	issuer, yes := egress.Inspected(err.Error())
	if !yes {
		return err
	}
	if issuer == "" {
		issuer = (*egress.Settings)(nil).Issuer(ctx, domain)
	}
	return fmt.Errorf("%w\n%s. The engine fetches images itself: put the CA's certificate on its host as /etc/docker/certs.d/%s/ca.crt (Docker Desktop: into the system's keychain, and restart it)",
		err, egress.Suspicion(issuer), domain)
}
