package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// following is an up --watch that runs.
type following struct {
	*env
	cmd    *exec.Cmd
	read   chan struct{}
	mu     sync.Mutex
	events []watchEvent
	said   bytes.Buffer
}

type watchEvent struct{ Type, Address, Message, Error string }

// follow starts up --watch and returns when it says that it watches.
func follow(e *env) *following {
	e.t.Helper()
	f := &following{env: e, cmd: e.command("up", "--watch", "--json"), read: make(chan struct{})}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() {
		defer close(f.read)
		for d := json.NewDecoder(io.TeeReader(out, &f.said)); ; {
			var ev watchEvent
			if d.Decode(&ev) != nil {
				return
			}
			f.mu.Lock()
			f.events = append(f.events, ev)
			f.mu.Unlock()
		}
	}()
	e.t.Cleanup(func() { _ = f.cmd.Process.Kill() })
	f.until("watching", "")
	return f
}

// count says how many events there were that are of a type and hold a text.
func (f *following) count(kind, text string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ev := range f.events {
		if ev.Type == kind && strings.Contains(ev.Message+ev.Error, text) {
			n++
		}
	}
	return n
}

func (f *following) until(kind, text string) {
	f.t.Helper()
	f.more(kind, text, 0)
}

// more waits until there were more than n such events.
func (f *following) more(kind, text string, n int) {
	f.t.Helper()
	eventually(f.t, 90*time.Second, kind+" "+text, func() (bool, string) {
		f.mu.Lock()
		all := fmt.Sprint(f.events)
		f.mu.Unlock()
		good := f.count(kind, text) > n
		select {
		case <-f.read:
			if !good {
				f.t.Fatalf("it ended without %s %s: %s", kind, text, all)
			}
		default:
		}
		return good, all
	})
}

// interrupt ends it as Ctrl-C does, and gives the exit code.
func (f *following) interrupt() int {
	f.t.Helper()
	if err := f.cmd.Process.Signal(os.Interrupt); err != nil {
		f.t.Fatal(err)
	}
	<-f.read
	_ = f.cmd.Wait()
	return f.cmd.ProcessState.ExitCode()
}

// listing is what is in a folder, with modes, contents and links, but without times.
const listing = `cd "$0" && { find . -mindepth 1 \( -type l -printf '%P %l\n' \) -o -printf '%P %y %m\n' | sort; find . -type f -exec sha256sum {} + | sort; }`

func onHost(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", listing, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// mirrors waits until a folder of a container is as one of the host.
func mirrors(t *testing.T, instance, address, dir, host string) {
	t.Helper()
	eventually(t, 60*time.Second, dir+" is as "+host, func() (bool, string) {
		out, err := exec.Command("docker", "exec", container(t, instance, address), "sh", "-c", listing, dir).CombinedOutput()
		want := onHost(t, host)
		return err == nil && string(out) == want, fmt.Sprintf("%v\nin the container:\n%s\non the host:\n%s", err, out, want)
	})
}

const watched = `
environment "watched" {}
container "app" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$| = 1; $SIG{TERM} = sub { exit 0 }; open F, '/app/main.txt' or die 'no main'; print <F>; sleep 1 while 1"]
  watch {
    paths   = ["src"]
    ignore  = ["src/tmp"]
    sync    = "/app"
    restart = ["src/main.txt"]
  }
}
`

func TestUpWatch(t *testing.T) {
	e := newContainerEnv(t)
	src := filepath.Join(e.dir, "src")
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(src, name) }
	do(os.MkdirAll(at("lib/deep"), 0o755))
	e.write("env.envctl.hcl", watched)
	e.write("src/main.txt", "one\n")
	e.write("src/lib/deep/a", "a")
	e.write("src/lib/gone", "goes while nobody watches")
	f := follow(e)
	instance := e.instance()
	same := func() {
		t.Helper()
		mirrors(t, instance, "container.app", "/app", src)
	}
	t.Run("all is in it before it starts", func(t *testing.T) {
		same()
		if out := e.must("logs", "app"); !strings.Contains(out, "one") || f.count("restarted", "") > 0 {
			t.Errorf("it began with %q", out)
		}
	})
	t.Run("files, folders, links and modes follow, and what is ignored does not", func(t *testing.T) {
		e.write("src/new", "new")
		do(os.MkdirAll(at("x/y/z"), 0o750))
		e.write("src/x/y/z/f", "f")
		do(os.Symlink("../main.txt", at("x/link")))
		same()
		do(os.Chmod(at("new"), 0o755))
		do(os.Rename(at("x"), at("renamed")))
		e.write("src/renamed/y/z/g", "in a folder that was moved")
		do(os.Remove(at("renamed/y/z/f")))
		same()
		do(os.RemoveAll(at("renamed")))
		e.write("src/renamed", "a file in place of a folder")
		do(os.Remove(at("new")))
		do(os.Mkdir(at("new"), 0o755))
		e.write("src/save.tmp", "as editors save")
		do(os.Rename(at("save.tmp"), at("lib/deep/a")))
		same()
		do(os.Mkdir(at("tmp"), 0o755))
		e.write("src/tmp/x", "x")
		e.write("src/last", "last")
		eventually(t, 30*time.Second, "the last is there", func() (bool, string) {
			return exec.Command("docker", "exec", container(t, instance, "container.app"), "test", "-f", "/app/last").Run() == nil, ""
		})
		if exec.Command("docker", "exec", container(t, instance, "container.app"), "test", "-e", "/app/tmp").Run() == nil {
			t.Error("what is ignored was synced")
		}
		do(os.RemoveAll(at("tmp")))
	})
	t.Run("what calls for a restart gets one", func(t *testing.T) {
		id := container(t, instance, "container.app")
		e.write("src/main.txt", "two\n")
		f.until("restarted", "")
		eventually(t, 30*time.Second, "the log goes on with two", func() (bool, string) { // it is started, and has to run yet
			out := e.must("logs", "app")
			return inOrderIn(out, "one", "two"), out
		})
		if container(t, instance, "container.app") != id {
			t.Error("it was made anew")
		}
	})
	t.Run("another up does not wait, and a container made anew is synced", func(t *testing.T) {
		e.write("src/lib/more", "more")
		same()
		docker(t, "rm", "-f", container(t, instance, "container.app"))
		e.write("src/lib/while-gone", "x")
		f.until("failed", "is gone")
		// What another up makes anew has nothing to run until the watch has seen it.
		eventually(t, 60*time.Second, "another up", func() (bool, string) {
			_, said, code := e.run("up")
			return code == 0, said
		})
		same()
	})
	t.Run("a stopped container is brought up to date when it starts", func(t *testing.T) {
		e.must("stop", "app")
		do(os.Remove(at("lib/more")))
		e.write("src/lib/while-stopped", "x")
		e.must("start", "app")
		same()
	})
	t.Run("the content is right however it changes", func(t *testing.T) {
		for i := range 300 {
			e.write("src/busy", strings.Repeat(fmt.Sprint(i), 1+i*97%5000))
		}
		same()
	})
	t.Run("two thousand at once", func(t *testing.T) {
		do(os.Mkdir(at("many"), 0o755))
		began := time.Now()
		for i := range 2000 {
			e.write(fmt.Sprintf("src/many/%d", i), strings.Repeat("x", i))
		}
		same()
		t.Logf("2000 files are there after %v", time.Since(began).Round(time.Millisecond))
	})
	t.Run("how long one takes", func(t *testing.T) {
		id := container(t, instance, "container.app")
		root := docker(t, "inspect", "--format", "{{.State.Pid}}", id)[0]
		var took []time.Duration
		for i := range 20 {
			text := fmt.Sprint("save ", i)
			began := time.Now()
			e.write("src/last", text)
			var is []byte
			for look := time.Tick(time.Millisecond); string(is) != text; <-look {
				if is, _ = os.ReadFile("/proc/" + root + "/root/app/last"); time.Since(began) > 30*time.Second {
					t.Fatalf("after 30 s there is %q", is)
				}
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("from a save to the file in the container: median %v, longest %v", took[10].Round(time.Millisecond), took[19].Round(time.Millisecond))
	})
	if code := f.interrupt(); code != 0 {
		t.Errorf("after Ctrl-C: exit code %d", code)
	}
	if !strings.Contains(f.said.String(), `"type":"end","ok":true`) {
		t.Error("the stream has no end")
	}
	if s := e.status(); s.state("container.app") != "ready" {
		t.Errorf("after Ctrl-C: %+v", s)
	}
	t.Run("the next watch deletes what went meanwhile and sends nothing else", func(t *testing.T) {
		do(os.Remove(at("lib/gone")))
		id := container(t, instance, "container.app")
		f := follow(e)
		same()
		if f.count("synced", "file(s)") > 0 || f.count("synced", "1 deleted") != 1 || container(t, instance, "container.app") != id {
			t.Errorf("events: %v", f.events)
		}
		f.interrupt()
	})
	t.Run("what differs at first restarts what runs, before it is ready", func(t *testing.T) {
		e.write("src/main.txt", "three\n")
		f := follow(e)
		eventually(t, 30*time.Second, "the log goes on with three", func() (bool, string) { // it is started, and has to run yet
			out := e.must("logs", "app")
			return inOrderIn(out, "two", "three"), out
		})
		if f.count("restarted", "") != 1 {
			t.Errorf("events: %v", f.events)
		}
		f.interrupt()
	})
}

// TestUpWatchIntoAVolume: of a read-only container a volume is all that can be written to, and what was brought there
// stays when the container is another one.
func TestUpWatchIntoAVolume(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", `
environment "volumed" {}
container "app" {
  image     = "debian:trixie-slim"
  command   = ["sleep", "infinity"]
  init      = true
  read_only = true
  env       = { A = "a" }
  volume "v" { target = "/v" }
  watch {
    paths = ["src"]
    sync  = "/v/app"
  }
}
`)
	if err := os.MkdirAll(filepath.Join(e.dir, "src/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	e.write("src/sub/a", "a")
	e.write("src/b", "b")
	f := follow(e)
	instance := e.instance()
	same := func() { t.Helper(); mirrors(t, instance, "container.app", "/v/app", filepath.Join(e.dir, "src")) }
	same()
	f.interrupt()
	if err := os.Remove(filepath.Join(e.dir, "src/sub/a")); err != nil {
		t.Fatal(err)
	}
	e.edit("env.envctl.hcl", `A = "a"`, `A = "b"`)
	f = follow(e)
	same()
	f.interrupt()
}

func TestUpWatchRebuilds(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", `
environment "rebuilt" {}
container "app" {
  build { context = "." }
  env = { A = "a" }
  watch {
    paths   = ["data"]
    sync    = "/data"
    rebuild = ["Dockerfile"]
  }
}
`)
	t.Cleanup(func() { e.run("down", "--volumes") }) // with the images
	if err := os.MkdirAll(filepath.Join(e.dir, "data/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	// An image with nothing in it but a program that waits: no shell, no rm.
	e.write("wait.go", "package main\n\nimport (\n\t\"os\"\n\t\"os/signal\"\n\t\"syscall\"\n)\n\nfunc main() {\n\tc := make(chan os.Signal, 1)\n\tsignal.Notify(c, syscall.SIGTERM)\n\t<-c\n}\n")
	build := exec.Command("go", "build", "-o", "wait", "wait.go")
	build.Dir, build.Env = e.dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	e.write("Dockerfile", "FROM scratch\nCOPY wait /wait\nUSER 1000\nENTRYPOINT [\"/wait\"]\n")
	e.write(".dockerignore", "*.go\nenv.envctl.hcl\ndata\n")
	e.write("data/sub/a", "a")
	f := follow(e)
	instance := e.instance()
	first := container(t, instance, "container.app")
	inside := func(want bool, name string) {
		t.Helper()
		eventually(t, 60*time.Second, name, func() (bool, string) {
			err := exec.Command("docker", "cp", container(t, instance, "container.app")+":"+name, t.TempDir()).Run()
			return (err == nil) == want, fmt.Sprint(err)
		})
	}
	t.Run("what .dockerignore leaves out is not synced", func(t *testing.T) { inside(false, "/data/sub/a") })
	e.write(".dockerignore", "*.go\nenv.envctl.hcl\n")
	e.write("Dockerfile", "FROM scratch\nCOPY wait /wait\nUSER 1000\nENV B=b\nENTRYPOINT [\"/wait\"]\n")
	eventually(t, 90*time.Second, "another container", func() (bool, string) {
		ids := docker(t, "ps", "-q", "--no-trunc", "--filter", label(instance), "--filter", "label=dev.envctl.address=container.app")
		return len(ids) == 1 && !strings.HasPrefix(first, ids[0]) && !strings.HasPrefix(ids[0], first), fmt.Sprint(ids)
	})
	t.Run("a build that fails does not end it", func(t *testing.T) {
		e.write("Dockerfile", "FROM scratch\nCOPY nowhere /\n")
		f.until("failed", "Still watching")
		n := f.count("watching", "")
		e.write("Dockerfile", "FROM scratch\nCOPY wait /wait\nUSER 1000\nENV C=c\nENTRYPOINT [\"/wait\"]\n")
		f.more("watching", "", n)
	})
	if code := f.interrupt(); code != 0 {
		t.Errorf("after Ctrl-C: exit code %d", code)
	}
	t.Run("without a rm in the image files are deleted all the same", func(t *testing.T) {
		f := follow(e)
		inside(true, "/data/sub/a")
		if err := os.RemoveAll(filepath.Join(e.dir, "data/sub")); err != nil {
			t.Fatal(err)
		}
		inside(false, "/data/sub")
		if f.count("failed", "") > 0 {
			t.Errorf("events: %v", f.events)
		}
		f.interrupt()
	})
}

// TestUpWatchAnUpAmidRestarts: an up in its midst, which follows a container anew, and a restart of that container wait
// for the same. Neither waits for the other, and the restart is not lost.
func TestUpWatchAnUpAmidRestarts(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", `
environment "amid" {}
container "slow" {
  image      = "debian:trixie-slim"
  command    = ["perl", "-e", "$| = 1; $SIG{TERM} = sub { print qq(stopping\n); sleep 5; exit 0 }; sleep 1 while 1"]
  stop_grace = "30s"
  watch {
    paths   = ["slow"]
    sync    = "/slow"
    restart = ["slow/**"]
  }
}
container "other" {
  build { inline = "FROM debian:trixie-slim" }
  command = ["perl", "-e", "$| = 1; $SIG{TERM} = sub { exit 0 }; open F, '/other/main' or die 'no main'; print <F>; sleep 1 while 1"]
  watch {
    paths   = ["other"]
    sync    = "/other"
    restart = ["other/**"]
    rebuild = ["env.envctl.hcl"]
  }
}
`)
	for _, dir := range []string{"slow", "other"} {
		if err := os.Mkdir(filepath.Join(e.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	e.write("slow/main", "one\n")
	e.write("other/main", "one\n")
	f := follow(e)
	e.write("slow/main", "two\n")
	eventually(t, 60*time.Second, "the slow one is being stopped", func() (bool, string) {
		text := e.must("logs", "slow")
		return strings.Contains(text, "stopping"), text
	})
	e.edit("env.envctl.hcl", `["other"]`, "[\"other\"]\n    ignore = [\"other/ignored\"]")
	f.until("rebuild", "")
	brought := f.count("synced", "file(s)")
	e.write("other/main", "two\n")
	f.more("synced", "file(s)", brought)
	f.more("watching", "", 1)
	eventually(t, 60*time.Second, "the other one begins again", func() (bool, string) {
		text := e.must("logs", "other")
		return inOrderIn(text, "one", "two"), text
	})
	if code := f.interrupt(); code != 0 || f.count("failed", "") > 0 {
		t.Errorf("exit code %d: %v", code, f.events)
	}
}

func TestUpWatchNeedsSomethingToWatch(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	if _, errs, code := e.run("up", "--watch"); code != 1 || !strings.Contains(errs, "watch block") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if ids := docker(t, "ps", "-aq", "--filter", "label=dev.envctl.environment=pair", "--filter", "label=dev.envctl.spec="+e.dir); len(ids) > 0 {
		t.Errorf("it made %q", ids)
	}
}
