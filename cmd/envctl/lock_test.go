package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/registrytest"
)

// publish makes an image that differs by its text, pushes it under ref, and forgets it here. It gives the
// digest that the registry knows it by.
func publish(t *testing.T, ref, text string) string {
	t.Helper()
	build := exec.Command("docker", "build", "-q", "-t", ref, "-")
	build.Stdin = strings.NewReader("FROM debian:trixie-slim\nLABEL envctl.test=" + text + "\n")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
	docker(t, "push", "-q", ref)
	digest := docker(t, "image", "inspect", "--format", "{{index .RepoDigests 0}}", ref)[0]
	docker(t, "image", "rm", ref)
	return digest[strings.LastIndex(digest, "@")+1:]
}

// forget removes what the engine knows of an image's repository.
func forget(t *testing.T, ref string) {
	t.Helper()
	repository := ref[:strings.LastIndex(ref, ":")]
	for _, id := range docker(t, "images", "-q", "--no-trunc", "--filter", "reference="+repository) {
		for _, name := range docker(t, "image", "inspect", "--format", `{{join .RepoDigests " "}} {{join .RepoTags " "}}`, id) {
			if strings.HasPrefix(name, repository) {
				docker(t, "image", "rm", name)
			}
		}
	}
}

// TestLock moves a tag under an environment that is locked.
func TestLock(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	ref := registrytest.Start(t, "") + "/app:1"
	t.Cleanup(func() {
		e.run("down", "--volumes")
		forget(t, ref)
	})
	first := publish(t, ref, "first")
	e.write("env.envctl.hcl", fmt.Sprintf(`
environment "locked" {}
container "app" {
  image   = %q
  command = ["sleep", "600"]
  init    = true
}
container "built" {
  build {
    inline = <<-EOT
      FROM %s
      LABEL made=here
    EOT
  }
  command = ["sleep", "600"]
  init    = true
}
`, ref, ref))
	lock := filepath.Join(e.dir, "envctl.lock.hcl")
	locked := func() string {
		t.Helper()
		text, err := os.ReadFile(lock)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	t.Run("frozen without a lock is refused", func(t *testing.T) {
		for _, command := range []string{"plan", "up"} {
			_, errs, code := e.run(command, "--frozen")
			if code != 1 || !strings.Contains(errs, "image "+ref+" for linux/") || !strings.Contains(errs, "envctl lock") {
				t.Errorf("%s: exit code %d:\n%s", command, code, errs)
			}
		}
		if _, _, code := e.run("lock", "--check"); code != 1 {
			t.Errorf("lock --check: exit code %d", code)
		}
	})
	t.Run("up without a lock works and writes none", func(t *testing.T) {
		e.must("up")
		if _, err := os.Stat(lock); err == nil {
			t.Error("a lock was written that nobody asked for")
		}
	})
	t.Run("lock holds the registry's digest", func(t *testing.T) {
		if out := e.must("lock"); !strings.Contains(out, "+ image "+ref) {
			t.Errorf("it said %q", out)
		}
		if !strings.Contains(locked(), first) {
			t.Fatalf("%s is not in\n%s", first, locked())
		}
		var cause string
		for _, c := range e.changes() {
			cause += c.Address + ": " + c.Cause + "\n"
		}
		if !strings.Contains(cause, "container.app: image digest added") {
			t.Errorf("the plan is\n%s", cause)
		}
		e.must("up", "--frozen")
		if c := e.changes(); len(c) > 0 {
			t.Errorf("the plan after it is %+v", c)
		}
	})
	second := publish(t, ref, "second")
	if first == second {
		t.Fatal("the tag did not move")
	}
	t.Run("a tag that moves does not move the environment", func(t *testing.T) {
		before := locked()
		if _, errs, _ := e.run("lock"); locked() != before {
			t.Errorf("the lock went along:\n%s", errs)
		}
		e.must("down")
		forget(t, ref) // so that it has to come from the registry, by its digest
		e.must("up", "--frozen")
		if got := imageLabel(t, e, "app"); got != "first" {
			t.Errorf("what runs is the %s", got)
		}
		if got := imageLabel(t, e, "built"); got != "first" {
			t.Errorf("what runs is built on the %s", got)
		}
	})
	t.Run("upgrade moves it, and the plan says why", func(t *testing.T) {
		var out struct {
			Changes []struct{ Item, From, To string }
		}
		if err := json.Unmarshal([]byte(e.must("lock", "--upgrade", "--json", ref)), &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Changes) == 0 || out.Changes[0].From != first || out.Changes[0].To != second {
			t.Errorf("it said %+v", out)
		}
		causes := map[string]string{}
		for _, c := range e.changes() {
			causes[c.Address] = c.Action + " " + c.Cause
		}
		if causes["container.app"] != "replace image digest changed" {
			t.Errorf("container.app: %s", causes["container.app"])
		}
		if want := "replace build, digest of " + ref + " changed"; causes["container.built"] != want {
			t.Errorf("container.built: %s, not %s", causes["container.built"], want)
		}
		e.must("up", "--frozen")
		if got := imageLabel(t, e, "app") + imageLabel(t, e, "built"); got != "secondsecond" {
			t.Errorf("what runs is the %s", got)
		}
	})
	t.Run("what the lock lacks is named", func(t *testing.T) {
		e.edit("env.envctl.hcl", `container "app" {`, "container \"other\" {\n  image = \"debian:trixie-slim\"\n}\ncontainer \"app\" {")
		_, errs, code := e.run("up", "--frozen")
		if code != 1 || !strings.Contains(errs, "image debian:trixie-slim for linux/") || strings.Contains(errs, ref) {
			t.Errorf("exit code %d:\n%s", code, errs)
		}
		if _, errs, code := e.run("plan"); code != 0 || !strings.Contains(errs, "envctl lock") {
			t.Errorf("exit code %d:\n%s", code, errs)
		}
		e.must("lock") // an image that this engine alone may have
		e.must("lock", "--check")
		e.must("plan", "--frozen")
	})
}

// TestLockedInstaller changes an installer under a lock; a plan of it needs no machine.
func TestLockedInstaller(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", `
environment "locked" {}
windows "pas" {
  source "sandbox" {}
  package "pas" { source = "pas.msi" }
}
template "extra" { source = "./extra" }
`)
	if err := os.Mkdir(filepath.Join(e.dir, "extra"), 0o755); err != nil {
		t.Fatal(err)
	}
	extra := filepath.Join("extra", "extra.envctl.hcl")
	e.write(extra, "locals {\n  one = 1\n}\n")
	e.write("pas.msi", "one")
	e.must("lock")
	e.must("plan", "--frozen")

	e.write("pas.msi", "two")
	sums := []string{fmt.Sprintf("%x", sha256.Sum256([]byte("one"))), fmt.Sprintf("%x", sha256.Sum256([]byte("two")))}
	for _, command := range []string{"plan", "lock"} {
		_, errs, code := e.run(command)
		if code != 1 || !strings.Contains(errs, "envctl.lock.hcl line") || !strings.Contains(errs, sums[0]) || !strings.Contains(errs, sums[1]) {
			t.Errorf("%s: exit code %d:\n%s", command, code, errs)
		}
	}
	if _, errs, code := e.run("lock", "--upgrade", "nosuch.msi"); code != 64 || !strings.Contains(errs, "pas.msi") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
	if out := e.must("lock", "--upgrade", "pas.msi"); !strings.Contains(out, "~ file pas.msi: ") {
		t.Errorf("it said %q", out)
	}
	e.must("plan", "--frozen")

	// A template's folder is edited like the spec: only --frozen minds.
	e.edit(extra, "one = 1", "one = 2")
	e.must("plan")
	if _, errs, code := e.run("plan", "--frozen"); code != 1 || !strings.Contains(errs, "template extra") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
	e.must("lock")
	e.must("plan", "--frozen")

	// What a merge left in another order is put in order.
	path := filepath.Join(e.dir, "envctl.lock.hcl")
	sorted, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(sorted), "\n")
	slices.Reverse(lines)
	e.write("envctl.lock.hcl", strings.Join(lines, ""))
	e.must("plan", "--frozen")
	e.must("lock")
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(sorted, again) {
		t.Errorf("the lock is now, %v,\n%s", err, again)
	}
}

// imageLabel reads the test's label of the image that a container runs.
func imageLabel(t *testing.T, e *env, name string) string {
	t.Helper()
	ids := docker(t, "ps", "-q", "--filter", label(e.instance()), "--filter", "label=dev.envctl.address=container."+name)
	if len(ids) != 1 {
		t.Fatalf("container.%s is %q", name, ids)
	}
	return docker(t, "inspect", "--format", `{{index .Config.Labels "envctl.test"}}`, ids[0])[0]
}
