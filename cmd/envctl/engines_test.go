//go:build linux

package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/nettest"
)

// far is a Docker engine with a network of its own, so that what it publishes is not to be reached from here.
type far struct {
	t      *testing.T
	dir    string
	socket string
	pid    int
}

func newFar(t *testing.T) *far {
	t.Helper()
	needEngine(t)
	for _, program := range []string{"dockerd", "unshare", "ip", "sshd"} {
		path := os.Getenv("PATH") + ":/usr/sbin:/sbin"
		t.Setenv("PATH", path)
		if _, err := exec.LookPath(program); err != nil || os.Getuid() != 0 {
			why := "an engine of the test's own needs root, dockerd, iproute2 and openssh-server; `make test` as root gets them: " + program
			if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
				t.Fatal(why)
			}
			t.Skip(why)
		}
	}
	dir, err := os.MkdirTemp("/var/tmp", "envctl-far") //nolint:usetesting // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	f := &far{t: t, dir: dir, socket: filepath.Join(dir, "docker.sock")}
	f.put("daemon.json", "{}")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--net", "sh", "-c", `ip link set lo up && exec dockerd "$@"`, "far",
		"--config-file", filepath.Join(dir, "daemon.json"), "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "-H", "unix://"+f.socket, "--storage-driver", "vfs",
		"--bip", "172.29.0.1/24", "--default-address-pool", "base=172.28.0.0/16,size=24")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.pid = cmd.Process.Pid
	t.Cleanup(func() { f.end(cmd) })
	f.until(30*time.Second, func() error { return exec.Command("docker", "-H", "unix://"+f.socket, "version").Run() })
	if out, err := exec.Command("sh", "-c", "docker save debian:trixie-slim | docker -H unix://"+f.socket+" load").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return f
}

// end ends the engine and takes away what it mounted and wrote.
func (f *far) end(cmd *exec.Cmd) {
	if f.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(f.dir, "log"))
		f.t.Logf("the engine's log ends with %s", log[max(0, len(log)-2000):])
	}
	if left := f.docker("ps", "-aq"); left != "" {
		f.t.Errorf("containers are left: %s", left)
		f.docker(append([]string{"rm", "-f"}, strings.Fields(left)...)...)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		f.t.Error("the engine's end:", err)
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if at := strings.Fields(line)[1]; strings.HasPrefix(at, f.dir+"/") {
			_ = syscall.Unmount(at, syscall.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(f.dir); err != nil {
		f.t.Error(err)
	}
}

func (f *far) docker(args ...string) string {
	f.t.Helper()
	out, err := exec.Command("docker", append([]string{"-H", "unix://" + f.socket}, args...)...).CombinedOutput()
	if err != nil {
		f.t.Errorf("docker %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f *far) put(name, text string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func (f *far) until(limit time.Duration, ok func() error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), limit)
	defer cancel()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			f.t.Fatalf("not within %s: %v", limit, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ssh makes the engine's computer one that is reached by ssh alone: a server on loopback with a key of its own, whose
// commands see this engine. It gives what envctl needs in its environment, and what ends all connections.
func (f *far) ssh() (vars []string, drop func()) {
	f.t.Helper()
	key := func(name string) ssh.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			f.t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(private, "")
		if err != nil {
			f.t.Fatal(err)
		}
		f.put(name, string(pem.EncodeToMemory(block)))
		signer, err := ssh.NewSignerFromKey(private)
		if err != nil {
			f.t.Fatal(err)
		}
		return signer
	}
	key("hostkey")
	f.put("authorized", string(ssh.MarshalAuthorizedKey(key("key").PublicKey())))
	port := nettest.FreePort(f.t)
	config := f.put("sshd_config", fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %[2]s/hostkey
AuthorizedKeysFile %[2]s/authorized
PidFile none
StrictModes no
UsePAM no
LogLevel ERROR
PermitRootLogin prohibit-password
MaxStartups 100
SetEnv DOCKER_HOST=unix://%[3]s
`, port, f.dir, f.socket))
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		f.t.Fatal(err)
	}
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		f.t.Fatal(err)
	}
	// Of a group of its own, so that its sessions can be ended with it and alone.
	server := exec.Command(sshd, "-D", "-e", "-f", config)
	server.Stderr = f.t.Output()
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := server.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	f.until(10*time.Second, func() error {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err
	})
	client := f.put("ssh_config", fmt.Sprintf("Host *\n  IdentityFile %s/key\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n", f.dir))
	bin := filepath.Join(f.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		f.t.Fatal(err)
	}
	real, err := exec.LookPath("ssh")
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", real, client)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	drop = func() {
		// The children of our sshd: one for each connection.
		out, _ := exec.Command("ps", "-o", "pid=", "--ppid", fmt.Sprint(server.Process.Pid)).Output()
		for _, pid := range strings.Fields(string(out)) {
			_ = exec.Command("kill", pid).Run()
		}
	}
	return []string{fmt.Sprintf("DOCKER_HOST=ssh://root@127.0.0.1:%d", port), "PATH=" + bin + ":" + os.Getenv("PATH")}, drop
}

// hold has a process listen on a port where the engine is, until free is called.
func (f *far) hold(port string) (free func()) {
	f.t.Helper()
	cmd := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", f.pid), "perl", "-MIO::Socket::INET", "-e",
		`$| = 1; my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 1) or die; print "held\n"; <STDIN>`, port)
	in, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		f.t.Error("nobody holds the port:", err)
	}
	return func() { in.Close(); _ = cmd.Wait() }
}

const distant = `
environment "distant" {}

container "web" {
  image   = "debian:trixie-slim"
  command = ["perl", "-MIO::Socket::INET", "-e", <<-EOT
    $SIG{TERM} = sub { exit 0 };
    my $l = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => 8080, Listen => 50, ReuseAddr => 1) or die;
    while (my $c = $l->accept) { while (<$c>) { last if /^\r?$/ } print $c "HTTP/1.0 200 OK\r\n\r\nfrom afar"; close $c }
  EOT
  ]
  file "/etc/planted" { content = "copied" }
  port "http" {
    guest  = 8080
    scheme = "http"
  }
  ready {
    http { port = "http" }
  }
}

output "web" { value = container.web.port.http.url }
`

// ask asks through the forward.
func ask(url string) (string, error) {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

var forwardPID = regexp.MustCompile(`pid (\d+)`)

func (e *env) forward() (state, pid string) {
	e.t.Helper()
	var s status
	e.decode(&s, "status", "--json")
	for _, r := range s.Resources {
		if r.Address == "forward.default" {
			if m := forwardPID.FindStringSubmatch(r.Detail); m != nil {
				pid = m[1]
			}
			return r.State, pid
		}
	}
	return "missing", ""
}

func TestAnEngineOnAnotherComputer(t *testing.T) {
	f := newFar(t)
	vars, drop := f.ssh()
	e := newContainerEnv(t, vars...)
	e.write("env.envctl.hcl", distant)
	began := time.Now()
	e.must("up")
	t.Logf("the first up took %s", time.Since(began))
	url := e.output("web")
	reach := func() {
		t.Helper()
		if text, err := ask(url); err != nil || text != "from afar" {
			t.Errorf("%s: %q, %v", url, text, err)
		}
	}
	reach()
	if text := e.must("exec", "web", "--", "cat", "/etc/planted"); text != "copied" {
		t.Errorf("its file holds %q", text)
	}
	text := e.must("status")
	if !strings.Contains(text, "Engine: ssh://root@127.0.0.1:") || !strings.Contains(text, "on another computer") {
		t.Errorf("status names no engine: %s", text)
	}
	state, pid := e.forward()
	if state != "ready" || pid == "" {
		t.Fatalf("the forward is %s", state)
	}

	t.Run("comes back when the link drops", func(t *testing.T) {
		drop()
		f.until(20*time.Second, func() error {
			text, err := ask(url)
			if err == nil && text != "from afar" {
				err = fmt.Errorf("got %q", text)
			}
			return err
		})
	})
	t.Run("a second up changes nothing, a new port comes and the process stays", func(t *testing.T) {
		if changed := e.changes(); len(changed) > 0 {
			t.Errorf("a second up would: %+v", changed)
		}
		port := fmt.Sprint(nettest.FreePort(t))
		e.edit("env.envctl.hcl", "output", "container \"two\" {\n  image = \"debian:trixie-slim\"\n  command = [\"perl\", \"-e\", \"$SIG{TERM} = sub { exit 0 }; sleep 1 while 1\"]\n  port \"x\" {\n    guest = 9000\n    host  = "+port+"\n  }\n}\noutput")
		free := f.hold(port)
		_, errs, code := e.run("up")
		errs = strings.Join(strings.Fields(errs), " ")
		if code != 1 || !strings.Contains(errs, "is taken by another process on the engine's computer (ssh://root@") {
			t.Errorf("with port %s held there: exit code %d: %s", port, code, errs)
		}
		free()
		e.must("up")
		if _, now := e.forward(); now != pid {
			t.Errorf("the process was %s and is %s", pid, now)
		}
		reach()
		if ports := e.must("ports", "two", "--json"); !strings.Contains(ports, "127.0.0.1:"+port) {
			t.Error(ports)
		}
	})
	t.Run("what is stopped and started is reached again", func(t *testing.T) {
		e.must("stop")
		e.must("start")
		f.until(20*time.Second, func() error { _, err := ask(url); return err })
		reach()
	})
	t.Run("a process that died is started by up", func(t *testing.T) {
		if out, err := exec.Command("kill", "-9", pid).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		f.until(5*time.Second, func() error {
			if state, _ := e.forward(); state != "failed" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		for _, c := range e.doctor() {
			if c.Name == "port" && (c.OK || !strings.Contains(c.Detail, "not carried from the engine's computer") || !strings.Contains(c.Hint, "envctl up")) {
				t.Errorf("doctor says %+v", c)
			}
		}
		e.must("up")
		reach()
	})
	t.Run("a folder of this computer is refused", func(t *testing.T) {
		e.edit("env.envctl.hcl", "port \"http\" {", "volume \"src\" {\n    source = \".\"\n    target = \"/src\"\n  }\n  port \"http\" {")
		_, errs, code := e.run("plan")
		errs = strings.Join(strings.Fields(errs), " ") // as the window's width breaks lines
		if code != 1 || !strings.Contains(errs, "on another computer (ssh://root@") || !strings.Contains(errs, "file blocks") || !strings.Contains(errs, "on env.envctl.hcl line 13:") {
			t.Errorf("exit code %d: %s", code, errs)
		}
	})
	e.edit("env.envctl.hcl", "source = \".\"", "")
	_, pid = e.forward()
	e.must("down", "--volumes")
	f.until(5*time.Second, func() error { // it gave its lock up, and is about to end
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return fmt.Errorf("after down process %s is there still", pid)
		}
		return nil
	})
	if _, err := ask(url); err == nil {
		t.Error("after down something answers")
	}
	left, _ := filepath.Glob(filepath.Join(e.state, "*"))
	if len(left) > 0 {
		t.Errorf("down left %v", left)
	}
}
