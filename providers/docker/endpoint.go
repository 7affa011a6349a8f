package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/docker/docker/client"
)

// endpoint is a Docker engine and how it came to be chosen.
type endpoint struct {
	host   string // "unix:///var/run/docker.sock"
	from   string // in words, what named it
	tlsDir string // holds ca.pem, cert.pem and key.pem; "" is no TLS
	verify bool   // check the engine's certificate
}

// local reports whether the engine shares this computer's file system, and for Linux its network.
func (e endpoint) local() bool {
	u, err := url.Parse(e.host)
	return err == nil && (u.Scheme == "unix" || u.Scheme == "npipe")
}

// client gives a client that has not dialled yet. Its API version is agreed on later.
func (e endpoint) client() (*client.Client, error) {
	var opts []client.Opt
	u, err := url.Parse(e.host)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "ssh" {
		opts = append(opts, client.WithHost("http://docker.invalid"), client.WithDialContext(sshDialer(u)))
	} else {
		opts = append(opts, client.WithHost(e.host))
	}
	if e.tlsDir != "" {
		ca := filepath.Join(e.tlsDir, "ca.pem")
		if !e.verify {
			ca = ""
		}
		opts = append(opts, client.WithTLSClientConfig(ca, filepath.Join(e.tlsDir, "cert.pem"), filepath.Join(e.tlsDir, "key.pem")))
	}
	return client.NewClientWithOpts(opts...)
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
	if host := getenv("DOCKER_HOST"); host != "" {
		e := endpoint{host: host, from: "DOCKER_HOST"}
		if verify := getenv("DOCKER_TLS_VERIFY"); verify != "" || getenv("DOCKER_CERT_PATH") != "" {
			e.tlsDir, e.verify = getenv("DOCKER_CERT_PATH"), verify != ""
			if e.tlsDir == "" {
				e.tlsDir = c.dir
			}
		}
		return e, nil
	}
	name, from := getenv("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
	if name == "" {
		name, from = c.CurrentContext, "the current context of "+filepath.Join(c.dir, "config.json")
	}
	if name == "" || name == "default" {
		return endpoint{host: client.DefaultDockerHost, from: "the default for " + runtime.GOOS}, nil
	}
	return contextEndpoint(c, name, from)
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
	e := endpoint{host: docker.Host, from: fmt.Sprintf("context %q, %s", name, from)}
	tlsDir := filepath.Join(c.dir, "contexts", "tls", id, "docker")
	if _, err := os.Stat(filepath.Join(tlsDir, "ca.pem")); err == nil {
		e.tlsDir, e.verify = tlsDir, !docker.SkipTLSVerify
	}
	return e, nil
}
