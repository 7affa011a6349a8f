// Package registrytest runs a registry for tests: Debian's docker-registry, on this computer's loopback, which every
// engine takes without TLS.
package registrytest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Start runs an empty registry until the test ends, and gives its address. With a login, "user:password", it refuses
// who does not give that. Without docker-registry the test is skipped, or fails where CI or ENVCTL_TEST_REQUIRE is set.
func Start(t testing.TB, login string) string {
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
	dir := t.TempDir()
	text := fmt.Sprintf("version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: %q\nhttp:\n  addr: %s\n",
		filepath.Join(dir, "data"), address)
	if user, password, ok := strings.Cut(login, ":"); ok {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		known := filepath.Join(dir, "htpasswd")
		write(t, known, user+":"+string(hash)+"\n")
		text += fmt.Sprintf("auth:\n  htpasswd:\n    realm: test\n    path: %q\n", known)
	}
	config := filepath.Join(dir, "config.yml")
	write(t, config, text)
	run(t, exec.Command(program, "serve", config), "http://"+address+"/v2/")
	return address
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run starts a server that ends with the test, and waits until it answers.
func run(t testing.TB, cmd *exec.Cmd, url string) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended //nolint:errcheck // it was killed
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
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
			if resp, err := client.Get(url); err == nil {
				_ = resp.Body.Close()
				return
			}
		}
	}
}
