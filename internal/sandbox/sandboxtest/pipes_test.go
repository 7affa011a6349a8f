package sandboxtest_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/secret"
	ours "github.com/envctl/envctl/providers/windows/winrm"
)

// testPipes sends every value of a byte and 64 MiB through a command and back, over TLS and sealed.
func testPipes(t *testing.T, box *sandboxtest.Sandbox) {
	data := make([]byte, 64<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	for i := range 256 {
		data[i] = byte(i)
	}
	sum := sha256.Sum256(data)
	for name, https := range map[string]bool{"TLS": true, "sealed": false} {
		t.Run(name, func(t *testing.T) {
			c := ourClient(t, box, https)
			shell, err := c.Shell(t.Context(), ours.ShellOptions{})
			if err != nil {
				t.Fatal(err)
			}
			cmd, err := shell.Start(t.Context(), prog+" cat", ours.CommandOptions{})
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			wrote := make(chan error, 1)
			go func() {
				_, err := cmd.Stdin().Write(data)
				wrote <- errors.Join(err, cmd.Stdin().Close())
			}()
			go func() { _, _ = io.Copy(io.Discard, cmd.Stderr()) }() // ends with the command
			back := sha256.New()
			n, err := io.Copy(back, cmd.Stdout())
			if err := errors.Join(err, <-wrote); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			if code, err := cmd.Wait(); code != 0 || err != nil {
				t.Fatalf("exit %d, %v", code, err)
			}
			if !bytes.Equal(back.Sum(nil), sum[:]) {
				t.Fatalf("the %d bytes that came back are not what was sent", n)
			}
			t.Logf("64 MiB there and back in %v: %.1f MB/s", took.Round(time.Millisecond), 64*1.048576/took.Seconds())
		})
	}
}

// ourClient is the product's own client, by NTLM: pinned over TLS, sealed without.
func ourClient(t *testing.T, box *sandboxtest.Sandbox, https bool) *ours.Client {
	t.Helper()
	cfg := ours.Config{Address: "127.0.0.1", Port: box.HTTPPort, HTTPS: https, User: box.User, Password: secret.Text{Value: box.Password, Sensitive: true}}
	if https {
		cfg.Port, cfg.Fingerprint = box.HTTPSPort, box.Fingerprint
	}
	c, err := ours.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Logf("closing the client: %v", err)
		}
	})
	return c
}
