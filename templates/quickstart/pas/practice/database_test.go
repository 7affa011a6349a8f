package practice

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const testImage = "envctl-pas-test-db"

// database starts PostgreSQL as the quickstart does, from the very Dockerfile and start script of its
// container "db", and gives the settings by which it is reached.
func database(t *testing.T) Config {
	t.Helper()
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		missing := fmt.Sprintf("no Docker engine answers (%v: %s); start one to run this test", err, bytes.TrimSpace(out))
		if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(dockerfile, []byte(inlineDockerfile(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("docker", "build", "-q", "-t", testImage, "-f", dockerfile, filepath.Join("..", "..", "db"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the database's image: %v\n%s", err, out)
	}
	// Layers stay as build cache; the name goes.
	t.Cleanup(func() { docker(t, "rmi", "--no-prune", testImage) })

	password := "it's \"planted\" $1"
	id := docker(t, "create", "--env", "DB_NAME=practice", "--env", "DB_USER=pas", "--publish", "127.0.0.1::5432", testImage)
	t.Cleanup(func() { docker(t, "rm", "--force", "--volumes", id) })
	copySecret := exec.Command("docker", "cp", "-", id+":/run/")
	copySecret.Stdin = secretArchive(t, password)
	if out, err := copySecret.CombinedOutput(); err != nil {
		t.Fatalf("copy the secret: %v\n%s", err, out)
	}
	docker(t, "start", id)
	ready := exec.Command("docker", "exec", id, "sh", "-c", `for i in $(seq 300); do pg_isready -q -h 127.0.0.1 -d practice && exit 0; sleep 0.1; done; exit 1`)
	if err := ready.Run(); err != nil {
		t.Fatalf("the database did not become ready within 30 s: %v\n%s", err, docker(t, "logs", id))
	}
	if logs := docker(t, "logs", id); strings.Contains(logs, "planted") {
		t.Errorf("the database's log holds the password:\n%s", logs)
	}
	_, port, found := strings.Cut(docker(t, "port", id, "5432/tcp"), ":")
	if !found {
		t.Fatal("the database's port is not published")
	}
	return Config{DbHost: "127.0.0.1", DbPort: port, DbName: "practice", DbUser: "pas", Password: password}
}

// secretArchive is a tar of secrets/db, owned by root whoever runs the test.
func secretArchive(t *testing.T, content string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "secrets/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "secrets/db", Mode: 0o400, Size: int64(len(content))},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// inlineDockerfile is what the quickstart's spec says of its container "db".
func inlineDockerfile(t *testing.T) string {
	t.Helper()
	path := filepath.Join("..", "..", "env.envctl.hcl")
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != "container" || block.Labels[0] != "db" {
			continue
		}
		for _, build := range block.Body.Blocks {
			if build.Type == "build" {
				text, diags := build.Body.Attributes["inline"].Expr.Value(nil)
				if diags.HasErrors() {
					t.Fatal(diags)
				}
				return text.AsString()
			}
		}
	}
	t.Fatal("the spec has no container db with an inline Dockerfile")
	return ""
}
