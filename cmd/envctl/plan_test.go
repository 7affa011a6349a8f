package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const planned = `
environment "planned" {}

credential "made" {
  username = "svc"
  generate {}
}

credential "given" {
  username = "svc"
  env { password = "PLANNED_PASSWORD" }
}

container "a" {
  image   = "debian:trixie-slim"
  command = ["sleep", "600"]
  env = {
    GREETING = "hello"
    MADE     = credential.made.password
    GIVEN    = credential.given.password
  }
  port "tcp" { guest = 7000 }
}

windows "box" {
  source "sandbox" {}
  file "C:\\key.txt" { content = credential.made.password }
}
`

// TestPlanFile is a plan written down: up does it as it was seen, or nothing.
func TestPlanFile(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t, "PLANNED_PASSWORD=the first secret")
	e.write("env.envctl.hcl", planned)

	// Credentials that do not exist yet have another version in each run, and the plan is the same all the same.
	e.must("plan", "--out", "first.json")
	e.must("plan", "--out", "again.json")
	if one, two := e.read("first.json"), e.read("again.json"); one != two {
		t.Errorf("two plans of the same differ:\n%s\n%s", one, two)
	}

	// What came after the plan is shown, and nothing is done.
	e.edit("env.envctl.hcl", "hello", "good day")
	_, errs, code := e.run("up", "first.json")
	if code != 1 || !strings.Contains(errs, "no longer what was planned") || !strings.Contains(errs, "-    env.GREETING = hello\n") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	out, _, code := e.run("up", "first.json", "--json")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 1 || len(lines) < 2 ||
		!strings.Contains(lines[0], `"format":1`) || !strings.Contains(lines[len(lines)-1], `"type":"end"`) || !strings.Contains(lines[len(lines)-1], `"ok":false`) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if rest := left(t, e.planInstance("first.json")); len(rest) > 0 {
		t.Errorf("a refused plan made %q", rest)
	}
}

// TestPlanShowsValues changes what is up, and holds the plan to saying so without a secret.
func TestPlanShowsValues(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t, "PLANNED_PASSWORD=the first secret")
	text, _, _ := strings.Cut(planned, "windows")
	e.write("env.envctl.hcl", text)
	e.must("plan", "--out", "first.json")
	e.must("up", "first.json")

	// The plan is done: it is another one now.
	if _, errs, code := e.run("up", "first.json"); code != 1 || !strings.Contains(errs, "-create container.a") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	e.must("plan", "--out", "nothing.json")
	e.must("up", "nothing.json")

	e.edit("env.envctl.hcl", "hello", "good day")
	e.vars = []string{"PLANNED_PASSWORD=the second secret"}
	var p struct {
		Changes []struct {
			Address, Action string
			Values          []struct{ Name, Old, New string }
		}
	}
	e.decode(&p, "plan", "--json", "--out", "second.json")
	found := map[string][2]string{}
	for _, c := range p.Changes {
		for _, v := range c.Values {
			found[v.Name] = [2]string{v.Old, v.New}
		}
	}
	if got := found["env.GREETING"]; got != [2]string{"hello", "good day"} {
		t.Errorf("env.GREETING is %q in %v", got, found)
	}
	if got := found["env.GIVEN"]; !strings.HasPrefix(got[0], "sha256:") || !strings.HasPrefix(got[1], "sha256:") || got[0] == got[1] {
		t.Errorf("env.GIVEN is %q in %v", got, found)
	}
	if _, ok := found["credential.given"]; !ok || len(found) != 3 {
		t.Errorf("three parts changed, one of them credential.given: %v", found)
	}
	if _, ok := found["env.MADE"]; ok {
		t.Errorf("env.MADE did not change: %v", found)
	}
	if shown := e.must("plan"); !strings.Contains(shown, "hello → good day") {
		t.Errorf("the plan does not show it:\n%s", shown)
	}
	if all := e.seen.String() + e.read("first.json") + e.read("second.json"); strings.Contains(all, "secret") {
		t.Errorf("a secret is in what was printed or written:\n%s", all)
	}

	// Another value in the meantime is another plan, though no word of it is shown.
	e.vars = []string{"PLANNED_PASSWORD=the third secret"}
	if _, errs, code := e.run("up", "second.json"); code != 1 || !strings.Contains(errs, "fingerprint") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	e.vars = []string{"PLANNED_PASSWORD=the second secret"}
	e.must("up", "second.json")
	if c := e.changes(); len(c) > 0 {
		t.Errorf("after up there is still to do: %+v", c)
	}
}

func (e *env) read(file string) string {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, file))
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

// planInstance is the instance that a written plan is for.
func (e *env) planInstance(file string) string {
	e.t.Helper()
	var f struct{ Instance string }
	if err := json.Unmarshal([]byte(e.read(file)), &f); err != nil || f.Instance == "" {
		e.t.Fatalf("%s: %v", file, err)
	}
	return f.Instance
}
