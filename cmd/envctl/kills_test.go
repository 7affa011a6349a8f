//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "what decides where up is killed; 0 is another each time")

// pieces is an environment of containers with all that a kill could leave half done: a build, a job, volumes, files,
// a credential, checks that take a while.
const pieces = `
environment "NAME" {}

locals {
  revision = "revision 0"
}

credential "key" {
  generate { length = 20 }
}

container "db" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sh", "-c", "sleep 0.2; touch /data/there; exec sleep 600"]
  env     = { REVISION = local.revision }
  volume "data" { target = "/data" }
  file "/etc/key" { content = credential.key.password }
  port "sql" { guest = 5432 }
  ready { exec = ["test", "-e", "/data/there"] }
}

job "seed" {
  image      = "debian:trixie-slim"
  command    = ["sh", "-c", "test \"$(cat /etc/revision)\" = \"${local.revision}\""]
  depends_on = [container.db]
  file "/etc/revision" { content = local.revision }
}

container "app" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      RUN printf %s '${local.revision}' >/revision && sleep 0.2
    EOT
  }
  init       = true
  command    = ["sh", "-c", "cat /revision /etc/wanted; sleep 0.1; touch /up; exec sleep 600"]
  depends_on = [job.seed]
  file "/etc/wanted" { content = local.revision }
  volume "cache" { target = "/cache" }
  port "web" { guest = 8080 }
  env = { DB = container.db.port.sql.address }
  ready { exec = ["sh", "-c", "test -e /up && cmp /revision /etc/wanted"] }
}

container "side" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sleep", "600"]
}
`

// killer kills up at points that its seed decides, and keeps the figures.
type killer struct {
	*env
	rnd      *rand.Rand
	events   int           // of a whole up
	planning time.Duration // of a whole up, to its first event after the start
	phases   map[string]int
	took     []time.Duration // to converge, or to go
	downs    int
}

func newKiller(e *env) *killer {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	e.t.Logf("the seed is %d; -seed %d does the same again", n, n)
	return &killer{env: e, rnd: rand.New(rand.NewPCG(n, n)), phases: map[string]int{}}
}

// progress is what an up that is being killed has said so far.
type progress struct {
	mu     sync.Mutex
	events int
	first  time.Time // of the first event that is about a resource
	phase  string
	more   chan struct{} // gets a word when there is more
}

// follow reads events until the end, which closes ended.
func (p *progress) follow(lines *bufio.Scanner, ended chan<- struct{}) {
	defer close(ended)
	waiting := map[string]bool{}
	for lines.Scan() {
		var e struct {
			Type, Address string
			OK            bool
		}
		_ = json.Unmarshal(lines.Bytes(), &e) // a kill may cut the last one short
		if e.Type == "waiting" {
			waiting[e.Address] = true
		}
		p.mu.Lock()
		p.events++
		if p.first.IsZero() && e.Address != "" {
			p.first = time.Now()
		}
		switch {
		case e.Type == "begin":
			p.phase = "create"
		case e.Type == "waiting", e.Type == "progress" && waiting[e.Address]:
			p.phase = "wait"
		case e.Type == "progress" || e.Type == "log":
			p.phase = "build"
		case e.Type == "done":
			p.phase = "between"
		case e.Type == "end" && e.OK:
			p.phase = "end"
		}
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

// up runs it and kills it once it has said so many events and that long after; with events < 0 it may end.
func (k *killer) up(events int, after time.Duration) *progress {
	k.t.Helper()
	cmd := k.command("up", "--json")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that nothing that it started survives it unseen
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	p := &progress{phase: "plan", more: make(chan struct{}, 1)}
	ended := make(chan struct{})
	go p.follow(bufio.NewScanner(out), ended)
	for enough := false; !enough; {
		p.mu.Lock()
		enough = events >= 0 && p.events >= events
		p.mu.Unlock()
		if enough {
			break
		}
		select {
		case <-p.more:
		case <-ended:
			enough = true
		}
	}
	if events >= 0 {
		select {
		case <-ended:
		case <-time.After(after):
		}
		_ = cmd.Process.Kill()
	}
	<-ended
	_ = cmd.Wait() // killed, or done before that
	if err := syscall.Kill(-cmd.Process.Pid, 0); err == nil {
		out, _ := exec.Command("ps", "-o", "pid,args", "--sid", "0", "-g", "0").Output()
		k.t.Errorf("processes of a killed up are left:\n%s", out)
	}
	return p
}

// measure does a whole up, from which the points are chosen.
func (k *killer) measure() {
	k.t.Helper()
	began := time.Now()
	p := k.up(-1, 0)
	k.events, k.planning = p.events, p.first.Sub(began)
	if p.phase != "end" || k.events < 5 {
		k.t.Fatalf("a whole up ended in phase %s after %d events", p.phase, k.events)
	}
}

// kill kills up somewhere: one time in five while it plans, else shortly after any of its events. It is false where up
// was at its end by then.
func (k *killer) kill() bool {
	k.vars = []string{fmt.Sprint("DOCKER_BUILDKIT=", k.rnd.IntN(2))} // each builder leaves things of its own
	events, after := 0, time.Duration(k.rnd.Int64N(int64(k.planning)))
	if k.rnd.IntN(5) > 0 {
		events, after = 1+k.rnd.IntN(k.events), time.Duration(k.rnd.Int64N(int64(60*time.Millisecond)))
	}
	phase := k.up(events, after).phase
	k.phases[phase]++
	return phase != "end"
}

// converges holds that up makes of what is there what a first up would have made.
func (k *killer) converges() {
	k.t.Helper()
	began := time.Now()
	k.must("up")
	k.took = append(k.took, time.Since(began))
	if c := k.changes(); len(c) > 0 {
		k.t.Errorf("after up there is still to do: %+v", c)
	}
	for _, r := range k.status().Resources {
		if r.State != "ready" {
			k.t.Errorf("%s is %s: %s", r.Address, r.State, r.Detail)
		}
	}
}

// goes holds that one down leaves nothing of the environment, images aside where they are kept, and that nothing comes
// after it of what a killed up had asked for.
func (k *killer) goes(name string, flags ...string) {
	k.t.Helper()
	began := time.Now()
	k.must(append([]string{"down", "--volumes"}, flags...)...)
	k.took = append(k.took, time.Since(began))
	k.downs++
	keep := all
	if len(flags) > 0 {
		keep = withoutImages
	}
	stays(k.t, name, keep)
	if rest := files(k.state); len(rest) > 0 {
		k.t.Errorf("left in the state folder: %q", rest)
	}
}

// figures are for the table of "make test-faults".
func (k *killer) figures(what string) {
	var phases []string
	kills := 0
	for _, name := range slices.Sorted(maps.Keys(k.phases)) {
		if name != "end" {
			kills += k.phases[name]
		}
		phases = append(phases, fmt.Sprintf("%s %d", name, k.phases[name]))
	}
	slices.Sort(k.took)
	left := fmt.Sprintf("one down left nothing, %d times", k.downs)
	if k.t.Failed() {
		left = "FAILED"
	}
	figure(k.t, what, "%d kills before the end (%s); right again in %s (median), %s (most); %s", kills, strings.Join(phases, ", "),
		k.took[len(k.took)/2].Round(time.Millisecond), k.took[len(k.took)-1].Round(time.Millisecond), left)
}

// figure prints a line of which "make test-faults" makes its table.
func figure(t *testing.T, what, format string, args ...any) {
	t.Helper()
	t.Logf("FIGURE %-28s %s", what, fmt.Sprintf(format, args...))
}

// ofEnvironment lists what the engine has of an environment, steps of builds included.
func ofEnvironment(t *testing.T, name string) (all []string) {
	t.Helper()
	filter := "label=dev.envctl.environment=" + name
	for _, args := range [][]string{
		{"ps", "-a", "--format", "{{.ID}}/{{.Names}}/{{.State}}", "--filter", filter}, {"network", "ls", "-q", "--filter", filter},
		{"volume", "ls", "-q", "--filter", filter}, {"images", "-a", "--format", "{{.ID}}/{{.Repository}}:{{.Tag}}", "--filter", filter},
	} {
		for _, id := range docker(t, args...) {
			all = append(all, args[0]+" "+id)
		}
	}
	return all
}

// uniqueName is an environment's, so that what is left of it is found by it. Images that it keeps go with the test.
func uniqueName(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("fault-%08x", rand.Uint32())
	t.Cleanup(func() {
		for _, id := range docker(t, "images", "-q", "--filter", "label=dev.envctl.environment="+name) {
			_ = exec.Command("docker", "rmi", "-f", id).Run() // its parents go with it; one that is gone is no matter
		}
	})
	return name
}

// TestFaultKilledContainers kills up without a chance to clean up: first ones, ones that change what is there, ones
// over what an earlier kill left. What comes after makes all of it right, or takes all of it away.
func TestFaultKilledContainers(t *testing.T) {
	name := uniqueName(t)
	k := newKiller(newContainerEnv(t))
	k.write("env.envctl.hcl", strings.Replace(pieces, "NAME", name, 1))
	k.measure()
	k.goes(name)
	revision := 0
	for i := 0; i < containerKills; {
		if k.rnd.IntN(2) == 0 {
			k.edit("env.envctl.hcl", fmt.Sprintf(`"revision %d"`, revision), fmt.Sprintf(`"revision %d"`, revision+1))
			revision++
		}
		if k.kill() {
			i++
		}
		switch k.rnd.IntN(6) {
		case 0: // the next kill meets what this one left
		case 1:
			k.goes(name, "--keep-images")
		case 2:
			k.goes(name)
		default:
			k.converges()
		}
		if t.Failed() {
			t.Fatalf("kill %d", i)
		}
	}
	k.converges()
	k.goes(name)
	k.figures("kill -9, containers")
}

// TestFaultKilledSandbox is the same with a Windows machine, whose gateway and layers a kill may cut short.
func TestFaultKilledSandbox(t *testing.T) {
	name := uniqueName(t)
	k := newKiller(newEnv(t))
	k.write("env.envctl.hcl", strings.Replace(small, `"faults" {}`, fmt.Sprintf("%q {}", name), 1))
	k.must("up") // builds the images
	k.goes(name, "--keep-images")
	k.took = nil
	k.measure()
	for i := range sandboxKills {
		if i == sandboxKills/2 {
			k.goes(name, "--keep-images") // half of the kills are in a first up, half in one that changes something
		}
		if i < sandboxKills/2 {
			old, new := `"faults" }`, `"faulty" }`
			if i%2 == 1 {
				old, new = new, old
			}
			k.edit("env.envctl.hcl", old, new)
		}
		k.kill()
		if k.rnd.IntN(3) == 0 {
			k.converges()
		}
		if t.Failed() {
			t.Fatalf("kill %d", i)
		}
	}
	k.converges()
	answer := k.must("exec", "windows.box", "--", "cmd", "/c", "echo %ECHO_ADDRESS%")
	if !strings.HasPrefix(answer, "127.0.0.1:7000") {
		t.Errorf("ECHO_ADDRESS is %q", answer)
	}
	k.goes(name, "--keep-images")
	k.figures("kill -9, with a sandbox")
}
