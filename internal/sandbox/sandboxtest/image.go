package sandboxtest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/sandbox"
)

// imageName is what test images are called; the tag is the hash of their content.
const imageName = "envctl-sandbox-test"

// createFromImage runs docker create with the image, building it where it is missing. Test
// processes take turns, since one removes the images that an older content left behind.
func createFromImage(t testing.TB, create []string) (container string) {
	t.Helper()
	defer takeTurn(t)()
	out := docker(t, nil, append(create, build(t))...)
	return out[strings.LastIndexByte(out, '\n')+1:]
}

// Warm builds the image where it is missing, so that what envctl builds itself in a test finds the long part
// in Docker's cache.
func Warm(t testing.TB) {
	t.Helper()
	defer takeTurn(t)()
	build(t)
}

func takeTurn(t testing.TB) (end func()) {
	t.Helper()
	lock := flock.New(filepath.Join(os.TempDir(), imageName+".lock"))
	if err := lock.Lock(); err != nil {
		t.Fatalf("waiting for other tests to build the sandbox's image: %v", err)
	}
	return func() { _ = lock.Unlock() } // ends with the process at the latest
}

func build(t testing.TB) (image string) {
	t.Helper()
	files := map[string][]byte{}
	sum := sha256.New()
	blobs := sandbox.BuildContext(blob.Of(Node(t)), blob.Of(Guest(t)))
	for _, name := range slices.Sorted(maps.Keys(blobs)) {
		content, err := blobs[name].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
		fmt.Fprintln(sum, name, blobs[name].SHA256)
	}
	// The label that envctl gives its shared images, so that both have the same steps and one cache. Another
	// name keeps the image from being removed with envctl's.
	files["Dockerfile"] = bytes.Replace(files["Dockerfile"], []byte("FROM debian:trixie-slim\n"),
		[]byte("FROM debian:trixie-slim\nLABEL \"dev.envctl.shared\"=\"sandbox\"\n"), 1)
	image = imageName + ":" + hex.EncodeToString(sum.Sum(nil))[:16]
	if exec.CommandContext(t.Context(), "docker", "image", "inspect", image).Run() != nil {
		t.Logf("building %s; without Docker's cache this takes minutes", image)
		// The host's network: not every engine's bridge reaches Debian.
		build := []string{"build", "--quiet", "--network", "host", "--tag", image, "-"}
		for range 3 { // a down of an older envctl takes steps away that are on their way into an image
			cmd := exec.CommandContext(t.Context(), "docker", build...)
			if cmd.Stdin = bytes.NewReader(tarOf(t, files, 0o755)); cmd.Run() == nil {
				removeOthers(t, image)
				return image
			}
		}
		docker(t, tarOf(t, files, 0o755), build...)
		removeOthers(t, image)
	}
	return image
}

// removeOthers removes images of an older content that no container uses.
func removeOthers(t testing.TB, keep string) {
	for image := range strings.FieldsSeq(docker(t, nil, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", imageName)) {
		if image != keep {
			_ = exec.CommandContext(t.Context(), "docker", "image", "rm", image).Run() // in use: the next run removes it
		}
	}
}

// Build builds a program of this module as make does, for amd64, and gives its path. Pkg is its import path, or its folder
// from the test's own.
func Build(t testing.TB, pkg, goos string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, msg)
	}
	return path
}

// Node builds envctl's helper for containers.
func Node(t testing.TB) []byte {
	t.Helper()
	return read(t, Build(t, "github.com/envctl/envctl/cmd/envctl-node", "linux"))
}

// Guest builds envctl's helper for machines.
func Guest(t testing.TB) []byte {
	t.Helper()
	return read(t, Build(t, "github.com/envctl/envctl/cmd/envctl-guest", "windows"))
}

// Helper gives Guest as it goes to a machine, and the SHA-256 of the program in it.
func Helper(t testing.TB) func() (gz []byte, sum string, err error) {
	t.Helper()
	exe := Guest(t)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(exe); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(exe)
	return func() ([]byte, string, error) { return b.Bytes(), hex.EncodeToString(digest[:]), nil }
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
