// Package sandboxtest starts real sandboxes for tests: Wine in a container, behind the
// WinRM server. It needs a Docker engine and its command line tool; the image is built
// once for its content and kept under the name envctl-sandbox-test, because its lower
// layers take minutes.
package sandboxtest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/sandbox"
)

// Sandbox is a running one. It is removed when its test ends.
type Sandbox struct {
	// HTTPS and HTTP are the endpoints as the test's process reaches them, and the ports of 127.0.0.1 that they are at.
	HTTPS, HTTP         string
	HTTPSPort, HTTPPort int
	User, Password      string
	// Fingerprint is of the HTTPS certificate, "sha256:<hex>"; Certificate is its PEM.
	Fingerprint string
	Certificate []byte
	ContainerID string
	// Host is the Windows machine's name.
	Host string
}

// Option changes how a sandbox is started.
type Option func(*settings)

type settings struct {
	config  sandbox.Config
	network string
	alias   string
}

// OnNetwork attaches the sandbox to a Docker network too, under that name.
func OnNetwork(network, alias string) Option {
	return func(s *settings) { s.network, s.alias = network, alias }
}

// WithCertificate makes the sandbox show a certificate that is not self-signed; Sandbox.Fingerprint and Certificate are of
// another then.
func WithCertificate(certificate, key []byte) Option {
	return func(s *settings) { s.config.Certificate, s.config.Key = string(certificate), string(key) }
}

// startTimeout bounds the time from the container's start until WinRM answers.
const startTimeout = 2 * time.Minute

// Start builds the image where it has to, starts a sandbox and waits until it answers. Without
// Docker the test is skipped, or fails where CI or ENVCTL_TEST_REQUIRE is set.
func Start(t testing.TB, options ...Option) *Sandbox {
	t.Helper()
	RequireDocker(t)
	const host = "SANDBOX"
	cert, key, fingerprint, err := sandbox.NewCertificate("localhost", "127.0.0.1", host)
	if err != nil {
		t.Fatal(err)
	}
	s := settings{config: sandbox.Config{
		User: sandbox.DefaultUser, Password: "Pä$$ " + rand.Text(),
		Certificate: string(cert), Key: string(key),
	}}
	for _, o := range options {
		o(&s)
	}
	name := "envctl-sandboxtest-" + strings.ToLower(rand.Text()[:10])
	args := []string{"create", "--init", "--name", name, "--hostname", host, "--label", "dev.envctl.test=sandbox",
		"--publish", "127.0.0.1::5985", "--publish", "127.0.0.1::5986"}
	if s.network != "" {
		args = append(args, "--network", s.network, "--network-alias", s.alias)
	}
	id := createFromImage(t, args)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the sandbox's log:\n%s", tail(docker(t, nil, "logs", "--tail", "50", id)))
		}
		docker(t, nil, "rm", "--force", "--volumes", id)
	})
	docker(t, configTar(t, s.config), "cp", "-", id+":/")
	docker(t, nil, "start", id)
	box := &Sandbox{
		User: s.config.User, Password: s.config.Password,
		Fingerprint: fingerprint, Certificate: cert, ContainerID: id, Host: host,
	}
	box.findPorts(t)
	box.WaitReady(t)
	return box
}

func (s *Sandbox) findPorts(t testing.TB) {
	port := func(inside int) int {
		line, _, _ := strings.Cut(docker(t, nil, "port", s.ContainerID, fmt.Sprintf("%d/tcp", inside)), "\n")
		_, text, err := net.SplitHostPort(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("reading the published port: %v", err)
		}
		p, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("reading the published port: %v", err)
		}
		return p
	}
	s.HTTPSPort, s.HTTPPort = port(sandbox.HTTPSPort), port(sandbox.HTTPPort)
	s.HTTPS = fmt.Sprintf("https://127.0.0.1:%d/wsman", s.HTTPSPort)
	s.HTTP = fmt.Sprintf("http://127.0.0.1:%d/wsman", s.HTTPPort)
}

// WaitReady waits until the sandbox answers, after a start or a reboot.
func (s *Sandbox) WaitReady(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	args := append([]string{"exec", s.ContainerID}, sandbox.CheckCommand()...)
	for {
		out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the sandbox did not answer within %v: %s", startTimeout, out)
		}
	}
}

// Exec runs a Linux command in the sandbox's container and gives its standard output and error;
// the test fails if the command does.
func (s *Sandbox) Exec(t testing.TB, command ...string) string {
	t.Helper()
	return docker(t, nil, append([]string{"exec", s.ContainerID}, command...)...)
}

// RestartContainer stops and starts the container, which is a reboot that loses no file, and
// finds the ports again: Docker may publish others.
func (s *Sandbox) RestartContainer(t testing.TB) {
	t.Helper()
	docker(t, nil, "restart", s.ContainerID)
	s.findPorts(t)
	s.WaitReady(t)
}

// RequireDocker skips the test where no Docker engine answers, or fails it in CI.
func RequireDocker(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput()
	if err == nil {
		return
	}
	message := fmt.Sprintf("no Docker engine: %v: %s; start one, or set DOCKER_HOST", err, tail(string(out)))
	if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// docker runs the command line tool and gives what it printed; a failure ends the test.
func docker(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	// Cleanup runs after the test's context has ended.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", args...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", args[0], err, tail(string(out)))
	}
	return strings.TrimRight(string(out), "\n")
}

// tail keeps the end of long output.
func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

func configTar(t testing.TB, c sandbox.Config) []byte {
	raw, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, map[string][]byte{strings.TrimPrefix(sandbox.ConfigPath, "/"): raw}, 0o400)
}

func tarOf(t testing.TB, files map[string][]byte, mode int64) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
