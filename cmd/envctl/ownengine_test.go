//go:build linux && faults

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownEngine is a Docker engine of a test's own, to be stopped, killed and filled up. All that it has is in its
// folder, and it is in a network namespace of its own: two engines in one take each other's bridge away.
type ownEngine struct {
	t       *testing.T
	dir     string
	root    string // what its disk is
	process *exec.Cmd
	ended   chan error
}

// newEngine starts one with its data in root, and gives it Debian's base image.
func newEngine(t *testing.T, root string) *ownEngine {
	t.Helper()
	needEngine(t)
	if os.Geteuid() != 0 {
		t.Fatal("an engine of the test's own needs root")
	}
	dir, err := os.MkdirTemp("", "envctl-fault") //nolint:usetesting // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	if root == "" {
		root = filepath.Join(dir, "data")
	}
	o := &ownEngine{t: t, dir: dir, root: root}
	t.Cleanup(func() {
		o.stop(syscall.SIGTERM)
		o.unmount()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.start()
	load := exec.Command("sh", "-c", "docker save debian:trixie-slim | docker -H "+o.host()+" load")
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("giving the engine its image: %v\n%s", err, out)
	}
	return o
}

func (o *ownEngine) host() string { return "unix://" + filepath.Join(o.dir, "sock") }

// start starts it and waits until it answers.
func (o *ownEngine) start() {
	o.t.Helper()
	driver := docker(o.t, "info", "--format", "{{.Driver}}")[0]
	log, err := os.OpenFile(filepath.Join(o.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		o.t.Fatal(err)
	}
	defer log.Close()
	// Of one that was killed; its containerd died with it.
	_ = os.Remove(filepath.Join(o.dir, "pid"))
	_ = os.Remove(filepath.Join(o.dir, "exec", "containerd", "containerd.pid"))
	cmd := exec.Command("unshare", "--net", "--", "sh", "-c", `ip link set lo up; exec dockerd "$@"`, "sh",
		"--config-file", filepath.Join(o.dir, "daemon.json"), "--data-root", o.root, "--exec-root", filepath.Join(o.dir, "exec"),
		"--pidfile", filepath.Join(o.dir, "pid"), "-H", o.host(), "--storage-driver", driver,
		// Where the computer's own containerd is taken, apart from what others have there.
		"--containerd-namespace", filepath.Base(o.dir), "--containerd-plugins-namespace", filepath.Base(o.dir)+"-plugins")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.process, o.ended = cmd, make(chan error, 1)
	go func() { o.ended <- cmd.Wait() }()
	eventually(o.t, time.Minute, "the test's own engine answers", func() (bool, string) {
		select {
		case err := <-o.ended:
			o.ended <- err
			text, _ := os.ReadFile(filepath.Join(o.dir, "log"))
			o.t.Fatalf("the engine ended: %v\n%s", err, text[max(0, len(text)-2000):])
		default:
		}
		out, err := exec.Command("docker", "-H", o.host(), "version").CombinedOutput()
		return err == nil, string(out)
	})
}

// stop ends it, with SIGTERM in good order, and waits for that.
func (o *ownEngine) stop(with syscall.Signal) {
	o.t.Helper()
	if o.process == nil {
		return
	}
	_ = o.process.Process.Signal(with)
	if err := <-o.ended; err != nil && with != syscall.SIGKILL {
		o.t.Logf("the engine ended with %v", err)
	}
	o.process = nil
}

// unmount takes away the mounts that an engine leaves which is killed.
func (o *ownEngine) unmount() {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		o.t.Error(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if at := strings.Fields(line)[4]; strings.HasPrefix(at, o.dir+"/") {
			_ = syscall.Unmount(at, syscall.MNT_DETACH) // what stays makes the folder's removal fail
		}
	}
}

// docker runs the docker command against it.
func (o *ownEngine) docker(args ...string) []string {
	o.t.Helper()
	return docker(o.t, append([]string{"-H", o.host()}, args...)...)
}

// newEnv gives an environment on it. What is left there goes with the engine.
func (o *ownEngine) newEnv(spec string) *env {
	o.t.Helper()
	e := newContainerEnv(o.t, "DOCKER_HOST="+o.host())
	e.write("env.envctl.hcl", spec)
	return e
}

// smallDisk makes a file system of so many megabytes.
func smallDisk(t *testing.T, megabytes int64) string {
	t.Helper()
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, megabytes<<20), os.Mkdir(at, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"mkfs.ext4 -q -F " + image, fmt.Sprintf("mount -o loop %s %s", image, at)} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v\n%s", at, err, out)
		}
	})
	return at
}

// fill writes a file until the disk is full but for some megabytes.
func fill(t *testing.T, dir string, spare int64) (path string) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "filler")
	size := int64(fs.Bavail)*fs.Bsize - spare<<20
	if out, err := exec.Command("fallocate", "-l", fmt.Sprint(size), path).CombinedOutput(); err != nil {
		t.Fatalf("fallocate: %v\n%s", err, out)
	}
	return path
}

const restarted = `
environment "restarted" {}
container "kept" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sleep", "600"]
  restart = "unless-stopped"
}
container "built" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      RUN sleep 3
    EOT
  }
  init    = true
  command = ["sleep", "600"]
}
container "slow" {
  image      = "debian:trixie-slim"
  init       = true
  command    = ["sh", "-c", "sleep 1; touch /there; exec sleep 600"]
  depends_on = [container.built]
  ready { exec = ["sh", "-c", "test -e /there && test ! -e /data/not"] }
  volume "data" { target = "/data" }
}
`

// TestFaultEngineRestarts stops and kills the engine while up builds and while it waits.
func TestFaultEngineRestarts(t *testing.T) {
	o := newEngine(t, "")
	e := o.newEnv(restarted)
	for _, c := range []struct {
		when string // a word of up's output
		with syscall.Signal
		kit  string
	}{
		{"RUN sleep 3", syscall.SIGTERM, "1"}, {"RUN sleep 3", syscall.SIGKILL, "1"}, {"RUN sleep 3", syscall.SIGKILL, "0"},
		{"not ready yet", syscall.SIGTERM, "1"}, {"not ready yet", syscall.SIGKILL, "1"},
	} {
		t.Run(fmt.Sprint(c.when, " ", c.with, " ", c.kit), func(t *testing.T) {
			e.vars = []string{"DOCKER_HOST=" + o.host(), "DOCKER_BUILDKIT=" + c.kit}
			began := time.Now()
			said, code := e.upUntil(c.when, func(*os.Process) { began = time.Now(); o.stop(c.with) })
			noticed := time.Since(began)
			if code != 1 || !strings.Contains(said, "went away") && !strings.Contains(said, "start Docker") && !strings.Contains(said, "with the engine") {
				t.Errorf("exit code %d, and it does not say what happened:\n%s", code, said)
			}
			if _, errs, code := e.run("up"); code != 1 || !strings.Contains(errs, "start Docker") {
				t.Errorf("without an engine: exit code %d\n%s", code, errs)
			}
			began = time.Now()
			o.start()
			if ids := o.docker("ps", "-q", "--filter", "label=dev.envctl.address=container.kept"); c.with == syscall.SIGTERM && len(ids) != 1 {
				t.Errorf("the container with a restart policy did not come back")
			}
			e.must("up")
			if changed := e.changes(); len(changed) > 0 {
				t.Errorf("after up there is still to do: %+v", changed)
			}
			figure(t, "engine restart", "%v while %q, DOCKER_BUILDKIT=%s: up ended after %s, right again after %s", c.with, c.when, c.kit,
				noticed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			e.must("down", "--volumes")
			if left := o.docker("ps", "-aq"); len(left) > 0 {
				t.Errorf("containers are left: %q", left)
			}
		})
	}
}

// TestFaultDiskFull builds where there is no room for what the build makes.
func TestFaultDiskFull(t *testing.T) {
	o := newEngine(t, smallDisk(t, 500))
	e := o.newEnv(`
environment "full" {}
container "app" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      RUN dd if=/dev/zero of=/big bs=1M count=60
    EOT
  }
  init    = true
  command = ["sleep", "600"]
}
`)
	before := o.docker("images", "-aq")
	filler := fill(t, o.root, 30)
	_, errs, code := e.run("up")
	for _, want := range []string{"disk of the Docker engine", "is full", "docker system prune"} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, and nothing of %q:\n%s", code, want, errs)
		}
	}
	for _, id := range o.docker("images", "-q", "--filter", "label=dev.envctl.instance") {
		t.Errorf("an image is tagged that was not made to its end: %s", id)
	}
	if left := o.docker("ps", "-aq"); len(left) > 0 {
		t.Errorf("containers are left: %q", left)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e.must("up")
	figure(t, "disk full for a build", "said so; up right %s after room was made", time.Since(began).Round(time.Millisecond))
	e.must("down", "--volumes")
	if after := o.docker("images", "-aq"); len(after) != len(before) {
		t.Errorf("%d images, %d before", len(after), len(before))
	}
}
