package docker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker/docker/client"
)

// endpoint is a Docker engine and how it came to be chosen.
type endpoint struct {
	host string // "unix:///var/run/docker.sock"
	from string // in words, what named it
	tls  tlsFiles
}

// local reports whether the engine shares this computer's file system, and for Linux its network.
func (e endpoint) local() bool {
	u, err := url.Parse(e.host)
	return err == nil && (u.Scheme == "unix" || u.Scheme == "npipe")
}

// client gives a client that has not dialled yet. Its API version is agreed on later.
func (e endpoint) client() (*client.Client, error) {
	u, err := url.Parse(e.host)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme == "ssh":
		dial, err := sshDialer(u)
		if err != nil {
			return nil, err
		}
		return newClient(&http.Transport{}, client.WithHost("http://docker.invalid"), client.WithDialContext(dial))
	case e.local() || !e.tls.on: // a socket needs no TLS, whatever else is set
		return newClient(&http.Transport{}, client.WithHost(e.host))
	}
	config, err := e.tls.config()
	if err != nil {
		return nil, err
	}
	return newClient(&http.Transport{TLSClientConfig: config}, client.WithHost(e.host))
}

// config is the part of the Docker client's configuration that matters here.
type config struct {
	dir            string
	CurrentContext string            `json:"currentContext"`
	Auths          map[string]auth   `json:"auths"`
	CredsStore     string            `json:"credsStore"`
	CredHelpers    map[string]string `json:"credHelpers"`
	// Proxies are those of containers and builds, by engine or "default".
	Proxies map[string]struct {
		HTTPProxy  string `json:"httpProxy"`
		HTTPSProxy string `json:"httpsProxy"`
		FTPProxy   string `json:"ftpProxy"`
		AllProxy   string `json:"allProxy"`
		NoProxy    string `json:"noProxy"`
	} `json:"proxies"`
}

type auth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

func loadConfig(dir string, getenv func(string) string) (config, error) {
	if dir == "" {
		dir = getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return config{}, nil // a service without a home has no configuration
		}
		dir = filepath.Join(home, ".docker")
	}
	c := config{dir: dir}
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("docker's configuration: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("docker's configuration %s is not valid JSON, mend it or remove it: %w", path, err)
	}
	return c, nil
}

// chooseEndpoint follows the docker command: DOCKER_HOST, DOCKER_CONTEXT, the configuration's current
// context, the default.
func chooseEndpoint(c config, getenv func(string) string) (endpoint, error) {
	host := getenv("DOCKER_HOST")
	name, from := getenv("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
	if name == "" {
		name, from = c.CurrentContext, "the current context of "+filepath.Join(c.dir, "config.json")
	}
	if host == "" && name != "" && name != "default" {
		return contextEndpoint(c, name, from)
	}
	e := endpoint{host: client.DefaultDockerHost, from: "the default for " + runtime.GOOS, tls: tlsOfEnvironment(c.dir, getenv)}
	switch {
	case host != "":
		var err error
		if e.host, err = parseHost(host); err != nil {
			return endpoint{}, err
		}
		e.from = "DOCKER_HOST"
	case e.tls.on:
		e.host, e.from = "tcp://localhost:2376", "the default with TLS"
	}
	return e, nil
}

// parseHost reads an engine's address as the docker command reads DOCKER_HOST.
func parseHost(host string) (string, error) {
	proto, rest, found := strings.Cut(strings.TrimSpace(host), "://")
	if !found {
		proto, rest = "tcp", proto
	}
	switch proto {
	case "ssh":
		return proto + "://" + rest, nil
	case "unix":
		return "unix://" + cmp.Or(rest, "/var/run/docker.sock"), nil
	case "npipe":
		return "npipe://" + cmp.Or(rest, "//./pipe/docker_engine"), nil
	case "tcp":
		u, err := url.Parse("tcp://" + rest)
		if err != nil {
			return "", fmt.Errorf("DOCKER_HOST: %w", err)
		}
		return "tcp://" + net.JoinHostPort(cmp.Or(u.Hostname(), "localhost"), cmp.Or(u.Port(), "2375")) + u.Path, nil
	}
	return "", fmt.Errorf("DOCKER_HOST is %q, where no Docker engine can be: write unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST", redacted(host))
}

// contextEndpoint reads a context from where docker keeps it, a folder named by the hash of its name.
func contextEndpoint(c config, name, from string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	path := filepath.Join(c.dir, "contexts", "meta", id, "meta.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return endpoint{}, fmt.Errorf("docker context %q (from %s) is not there; `docker context ls` lists those that are: %w", name, from, err)
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return endpoint{}, fmt.Errorf("docker context %q: %s: %w", name, path, err)
	}
	docker, ok := meta.Endpoints["docker"]
	if !ok || docker.Host == "" {
		return endpoint{}, fmt.Errorf("docker context %q (from %s) names no Docker engine; choose another with `docker context use`", name, from)
	}
	return endpoint{
		host: docker.Host, from: fmt.Sprintf("context %q, %s", name, from),
		tls: tlsOfContext(filepath.Join(c.dir, "contexts", "tls", id, "docker"), docker.SkipTLSVerify),
	}, nil
}
