package docker

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"sync"
)

// engineEnv says where the engine is, where that cannot be told from how it is reached: "remote" or "local".
const engineEnv = "ENVCTL_ENGINE"

// place finds out once where the engine is.
type place struct {
	mu     sync.Mutex
	known  bool
	remote bool
}

// EngineInfo is which engine there is.
type EngineInfo struct {
	Host   string `json:"host"`   // "unix:///var/run/docker.sock"
	From   string `json:"from"`   // in words, what named it
	Remote bool   `json:"remote"` // it shares neither this computer's loopback nor its files
}

// String gives words for a person.
func (e EngineInfo) String() string {
	if e.Remote {
		return fmt.Sprintf("%s (from %s), on another computer", e.Host, e.From)
	}
	return fmt.Sprintf("%s (from %s)", e.Host, e.From)
}

// Host is where the engine is, as it was named.
func (p *Provider) Host() string { return redacted(p.endpoint.host) }

// EngineInfo says which engine there is, and where.
func (p *Provider) EngineInfo(ctx context.Context) (EngineInfo, error) {
	remote, err := p.Remote(ctx)
	return EngineInfo{redacted(p.endpoint.host), p.endpoint.from, remote}, err
}

// Remote reports whether the engine's loopback and files are another computer's. A socket of this computer is local:
// what stands behind it in a virtual machine (Docker Desktop, OrbStack, Colima) brings ports and folders here by
// itself. So is a port of this computer, unless the engine there says that it is another one: a tunnel.
func (p *Provider) Remote(ctx context.Context) (bool, error) {
	p.place.mu.Lock()
	defer p.place.mu.Unlock()
	if p.place.known {
		return p.place.remote, nil
	}
	remote, err := p.findRemote(ctx)
	if err == nil {
		p.place.known, p.place.remote = true, remote
	}
	return remote, err
}

func (p *Provider) findRemote(ctx context.Context) (bool, error) {
	switch said := p.getenv(engineEnv); said {
	case "remote", "local":
		return said == "remote", nil
	case "":
	default:
		return false, fmt.Errorf("%s is %q; it can be remote or local", engineEnv, said)
	}
	u, err := url.Parse(p.endpoint.host)
	switch {
	case err != nil:
		return false, err
	case p.endpoint.local():
		return false, nil
	case u.Scheme == "ssh" || !isLoopback(u.Hostname()):
		return true, nil
	case runtime.GOOS != "linux":
		return false, nil // the engine's computer is a virtual machine with a name of its own
	}
	if err := p.connect(ctx); err != nil {
		return false, err
	}
	is, err := p.api.Info(ctx)
	if err != nil {
		return false, p.explain(err)
	}
	here, err := os.Hostname()
	if err != nil {
		return false, err
	}
	return is.Name != here && is.OperatingSystem != "Docker Desktop", nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || host == "" || ip != nil && ip.IsLoopback()
}

// redacted is an engine's address without a password.
func redacted(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.User == nil {
		return host
	}
	return u.Redacted()
}
