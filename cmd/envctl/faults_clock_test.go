//go:build unix && faults

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// TestFaultClock sets the clock of envctl, between commands and while they run.
func TestFaultClock(t *testing.T) {
	needEngine(t)
	c := newClock(t)
	program := c.build()
	with := func(t *testing.T, e *env) *clocked {
		e.program, e.vars = program, append(e.vars, c.env())
		c.set(0)
		return &clocked{env: e, clock: c}
	}
	t.Run("between commands", func(t *testing.T) { clockBetween(with(t, newContainerEnv(t))) })
	t.Run("while up waits", func(t *testing.T) { clockWhileWaiting(t, with) })
	t.Run("while two want the lock", func(t *testing.T) { clockAndLock(with(t, newContainerEnv(t))) })
	t.Run("while up watches", func(t *testing.T) { clockAndWatch(with(t, newContainerEnv(t))) })
	t.Run("with a Windows machine", func(t *testing.T) { clockAndMachine(with(t, newEnv(t))) })
}

// clocked is an environment whose envctl goes by a clock that the test sets.
type clocked struct {
	*env
	*clock
}

const dated = `
environment "NAME" {}

credential "key" {
  generate { length = 20 }
}

container "db" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sh", "-c", "echo db is here; exec sleep 600"]
  env     = { KEY = credential.key.password, ROUND = "0" }
  volume "data" { target = "/data" }
  port "sql" { guest = 5432 }
  ready { exec = ["true"] }
}

job "seed" {
  image      = "debian:trixie-slim"
  command    = ["true"]
  depends_on = [container.db]
}

container "app" {
  build {
    inline = <<-EOT
      FROM debian:trixie-slim
      RUN echo NAME
    EOT
  }
  init       = true
  command    = ["sh", "-c", "echo app is here; exec sleep 600"]
  depends_on = [job.seed]
}

output "key" {
  value     = credential.key.password
  sensitive = true
}
`

// event is what the test needs of one.
type datedEvent struct {
	Type, Address, Action string
	Time                  time.Time
	Seconds               float64
}

// up is an up that must succeed, and must say of nothing that it took less than no time or longer than there was.
func (c *clocked) up() (events []datedEvent, took time.Duration) {
	c.env.t.Helper()
	began := time.Now()
	out := c.must("up", "--json")
	took = time.Since(began)
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var e datedEvent
		if err := d.Decode(&e); err != nil {
			c.env.t.Fatal(err)
		}
		if e.Seconds < 0 || e.Seconds > took.Seconds() {
			c.env.t.Errorf("%s of %s says %v s in an up of %s", e.Type, e.Address, e.Seconds, took)
		}
		events = append(events, e)
	}
	return events, took
}

// did gives the resources to which something was done.
func did(events []datedEvent) (addresses []string) {
	for _, e := range events {
		if e.Type == "done" && e.Action != "none" {
			addresses = append(addresses, e.Address)
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses) // a machine's layers are done one by one
}

func (c *clocked) ids(t *testing.T, name string) []string {
	t.Helper()
	return docker(t, "ps", "-aq", "--no-trunc", "--filter", "label=dev.envctl.environment="+name)
}

func (c *clocked) ready(t *testing.T) {
	t.Helper()
	for _, r := range c.status().Resources {
		if r.State != "ready" {
			t.Errorf("%s is %s: %s", r.Address, r.State, r.Detail)
		}
	}
}

// clockBetween runs each command under another time than the one before.
func clockBetween(c *clocked) {
	t := c.env.t
	name := uniqueName(t)
	c.write("env.envctl.hcl", strings.ReplaceAll(dated, "NAME", name))
	c.set(400 * day)
	events, _ := c.up()
	if off := time.Until(events[0].Time); off < 399*day || off > 401*day {
		t.Fatalf("the clock that envctl goes by is %s off, so this shows nothing", off)
	}
	ids, key := c.ids(t, name), c.output("key")
	var most time.Duration
	offs := []time.Duration{-400 * day, 26 * time.Hour, -26 * time.Hour, 40 * time.Second, 0}
	for i, off := range offs {
		c.set(off)
		events, took := c.up()
		most = max(most, took)
		if did := did(events); len(did) > 0 {
			t.Errorf("with a clock %s off up did something to %q", off, did)
		}
		if now := c.ids(t, name); !slices.Equal(now, ids) {
			t.Errorf("with a clock %s off the containers are %q, were %q", off, now, ids)
		}
		if changes := c.changes(); len(changes) > 0 {
			t.Errorf("with a clock %s off there is to do: %+v", off, changes)
		}
		c.ready(t)
		if now := c.output("key"); now != key {
			t.Errorf("with a clock %s off the credential is another", off)
		}
		// Lines are dated by the engine, whose clock nobody set.
		if out := c.must("logs", "--since", "30m"); !strings.Contains(out, "db is here") || !strings.Contains(out, "app is here") {
			t.Errorf("with a clock %s off, logs --since 30m: %q", off, out)
		}
		if out := c.must("logs", "--since", time.Now().Add(time.Hour).Format(time.RFC3339)); out != "" {
			t.Errorf("with a clock %s off, logs of the future: %q", off, out)
		}
		// What changes is what was changed.
		c.edit("env.envctl.hcl", fmt.Sprintf(`ROUND = "%d"`, i), fmt.Sprintf(`ROUND = "%d"`, i+1))
		c.set(-off)
		if events, _ = c.up(); !slices.Equal(did(events), []string{"container.db"}) {
			t.Errorf("with a clock %s off up did something to %q, not to container.db", -off, did(events))
		}
		ids = c.ids(t, name)
	}
	c.set(-400 * day)
	c.must("credentials", "rotate", "key")
	c.set(400 * day)
	if events, _ := c.up(); !slices.Equal(did(events), []string{"container.db"}) || c.output("key") == key {
		t.Errorf("after the rotation up did something to %q", did(events))
	}
	// By the clock an image is more than a year old, and still its container may be on the way.
	c.must("down", "--keep-images")
	out, _, _ := c.run("prune", "--images", "--no-input", "--json")
	if strings.Contains(out, name) {
		t.Errorf("prune would take an image that was just made: %s", out)
	}
	c.set(-26 * time.Hour)
	c.up()
	c.goes(t, name)
	figure(t, "clock set between commands", "%d times, up to 400 days to and fro: nothing replaced; the slowest up with nothing to do took %s",
		3*len(offs), most.Round(time.Millisecond))
}

// goes holds that one down leaves nothing.
func (c *clocked) goes(t *testing.T, name string) {
	t.Helper()
	c.must("down", "--volumes")
	if rest := append(ofEnvironment(t, name), files(c.state)...); len(rest) > 0 {
		t.Errorf("left: %q", rest)
	}
}

// clockWhileWaiting lets the clock leap while a check is waited for: it may take as long as it may, no less and no more.
func clockWhileWaiting(t *testing.T, with func(*testing.T, *env) *clocked) {
	const slow = `
environment "slow" {}
container "slow" {
  image   = "debian:trixie-slim"
  init    = true
  command = ["sh", "-c", "sleep 3; touch /there; exec sleep 600"]
  ready {
    exec = ["test", "-e", "/there"]
    LIMIT
  }
}
`
	for _, test := range []struct {
		name, limit, says string
		code              int
		least, most       time.Duration
	}{
		{"ready in time", `start_period = "20s"`, "", 0, 3 * time.Second, 15 * time.Second},
		{"never ready", `start_period = "2s"`, "not ready after 2s", 1, 2 * time.Second, 10 * time.Second},
		{"never in so many tries", "retries = 4\n    interval = \"500ms\"", "its check failed", 1, 2 * time.Second, 10 * time.Second},
	} {
		c := with(t, newContainerEnv(t))
		c.write("env.envctl.hcl", strings.Replace(slow, "LIMIT", test.limit, 1))
		began := time.Now()
		said, code := c.upUntil("not ready yet", func(*os.Process) { c.leap() })
		took := time.Since(began)
		if code != test.code || !strings.Contains(said, test.says) || took < test.least || took > test.most {
			t.Errorf("%s: exit code %d after %s:\n%s", test.name, code, took, said)
		}
		c.must("down") // the clock leaps on
		figure(t, "clock leaps while up waits", "%s: up ended after %s, its check has %s", test.name, took.Round(time.Millisecond),
			strings.Join(strings.Fields(test.limit), " "))
	}
}

// clockAndLock has an up wait for another that began in its future.
func clockAndLock(c *clocked) {
	t := c.env.t
	c.write("env.envctl.hcl", strings.Replace(never, `["false"]`, `["test", "-e", "/go"]`, 1))
	c.set(400 * day)
	first := c.command("up")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	eventually(t, 30*time.Second, "the container runs", func() (bool, string) {
		ids := docker(t, "ps", "-q", "--filter", "label=dev.envctl.spec="+c.dir)
		id = strings.Join(ids, "")
		return len(ids) == 1, "no container"
	})
	c.set(-400 * day)
	began := time.Now()
	said, code := c.upUntil("Waiting for another run", func(*os.Process) {
		c.leap()
		docker(t, "exec", id, "touch", "/go")
	})
	took := time.Since(began)
	if err := first.Wait(); err != nil || code != 0 || took > 30*time.Second || !strings.Contains(said, fmt.Sprint("pid ", first.Process.Pid)) {
		t.Errorf("the first: %v; the second: exit code %d after %s\n%s", err, code, took, said)
	}
	if got := container(t, c.instance(), "container.never"); !strings.HasPrefix(got, id) {
		t.Errorf("the container is now %s", got)
	}
	c.must("down", "--volumes")
	if rest := files(c.state); len(rest) > 0 {
		t.Errorf("left in the state folder: %q", rest)
	}
	figure(t, "clock leaps while two up wait", "the second had its turn, %s after it began", took.Round(time.Millisecond))
}

// clockAndWatch edits files under clocks that leap: their times then say nothing of which is newer.
func clockAndWatch(c *clocked) {
	t := c.env.t
	c.write("env.envctl.hcl", watched)
	src := filepath.Join(c.dir, "src")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	c.write("src/main.txt", "one\n")
	c.write("src/page", "0000")
	f := follow(c.env)
	instance := c.instance()
	id := container(t, instance, "container.app")
	var most time.Duration
	for i, off := range []time.Duration{26 * time.Hour, -26 * time.Hour, 400 * day, -400 * day, 0} {
		c.set(off)
		began := time.Now()
		// As long as before, and dated by the clock as it is now.
		c.write("src/page", fmt.Sprintf("%04d", i+1))
		if err := os.Chtimes(filepath.Join(src, "page"), time.Now().Add(off), time.Now().Add(off)); err != nil {
			t.Fatal(err)
		}
		mirrors(t, instance, "container.app", "/app", src)
		most = max(most, time.Since(began))
	}
	c.leap()
	n := f.count("restarted", "")
	c.write("src/main.txt", "two\n")
	f.more("restarted", "", n)
	mirrors(t, instance, "container.app", "/app", src)
	if got := container(t, instance, "container.app"); got != id {
		t.Error("the container was replaced")
	}
	if code := f.interrupt(); code != 0 || f.count("failed", "") > 0 {
		t.Errorf("exit code %d, events %v", code, f.events)
	}
	c.must("down", "--volumes")
	figure(t, "clock set while up watches", "5 times: each change was there, the slowest after %s", most.Round(time.Millisecond))
}

// clockAndMachine makes a machine and changes it while the clock leaps by days: what is alive is not given up as dead.
func clockAndMachine(c *clocked) {
	t := c.env.t
	name := uniqueName(t)
	c.write("env.envctl.hcl", strings.Replace(small, `"faults" {}`, fmt.Sprintf("%q {}", name), 1))
	c.leap()
	_, first := c.up()
	ids := c.ids(t, name)
	c.set(-400 * day)
	if events, _ := c.up(); len(did(events)) > 0 {
		t.Errorf("up did something to %q", did(events))
	}
	c.ready(t)
	c.set(400 * day)
	c.edit("env.envctl.hcl", `Name = "faults"`, `Name = "other"`)
	c.onlyChange("windows.box", "update")
	c.leap()
	if events, _ := c.up(); !slices.Equal(did(events), []string{"windows.box"}) {
		t.Errorf("up did something to %q", did(events))
	}
	if now := c.ids(t, name); !slices.Equal(now, ids) {
		t.Errorf("the containers are %q, were %q", now, ids)
	}
	if answer := c.must("exec", "windows.box", "--", "cmd", "/c", "echo %ECHO_ADDRESS%"); !strings.HasPrefix(answer, "127.0.0.1:7000") {
		t.Errorf("ECHO_ADDRESS is %q", answer)
	}
	c.must("down", "--volumes", "--keep-images")
	if rest := append(withoutImages(ofEnvironment(t, name)), files(c.state)...); len(rest) > 0 {
		t.Errorf("left: %q", rest)
	}
	figure(t, "clock leaps with a sandbox", "first up %s; nothing replaced; a changed layer and those above it made anew; nothing left after down", first.Round(time.Millisecond))
}

// TestFaultClockParts runs the tests of what watches over connections, while the clock leaps.
func TestFaultClockParts(t *testing.T) {
	c := newClock(t)
	c.leap()
	parts := []string{"./internal/heard", "./internal/lock", "./internal/engine", "./internal/event", "./internal/gateway/relay"}
	test := exec.Command(goCommand(), append([]string{"test", "-count=1", "-overlay", c.overlay}, parts...)...)
	test.Dir, test.Env = filepath.Join("..", ".."), append(os.Environ(), c.env())
	began := time.Now()
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", test, err, out)
	}
	figure(t, "clock leaps in unit tests", "%d packages pass, in %s with building", len(parts), time.Since(began).Round(time.Second))
}
