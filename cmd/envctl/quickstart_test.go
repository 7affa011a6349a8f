package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestQuickstart is the whole job on the template that a new user starts with: real containers, a real Wine,
// a request through every wire. Its parts go on from each other, as a day's work does.
func TestQuickstart(t *testing.T) {
	e := newEnv(t)
	e.must("init", "quickstart", ".")
	e.must("up")
	instance := e.instance()
	password := databasePassword(t, e)

	t.Run("a request goes through every wire", func(t *testing.T) { requestThroughBooking(t, e, "") })
	t.Run("an HL7 message is acknowledged and kept", func(t *testing.T) {
		answer, err := sendHL7(e.output("hl7"), adt("MSG00042", "9990001", "Penhaligon"))
		if err != nil || !strings.Contains(answer, "MSA|AA|MSG00042") {
			t.Fatalf("answer %q, error %v", answer, err)
		}
		rows := e.must("exec", "--user", "postgres", "db", "--", "psql", "-d", "practice", "-Atc", "select * from patients")
		if !strings.Contains(rows, "Penhaligon") {
			t.Errorf("the patient is not in the database: %s", rows)
		}
		requestThroughBooking(t, e, "Penhaligon")
	})
	t.Run("a second up changes nothing and says so", func(t *testing.T) {
		before := docker(t, "ps", "-q", "--no-trunc", "--filter", label(instance))
		_, errs, code := e.run("up")
		if code != 0 || !strings.Contains(errs, "Nothing to change") {
			t.Errorf("exit code %d:\n%s", code, errs)
		}
		if after := docker(t, "ps", "-q", "--no-trunc", "--filter", label(instance)); !slices.Equal(before, after) {
			t.Errorf("containers were %q and are %q", before, after)
		}
		if _, _, code := e.run("plan", "--detailed-exitcode"); code != 0 {
			t.Errorf("plan --detailed-exitcode: %d", code)
		}
	})
	t.Run("status is all ready and up", func(t *testing.T) {
		s := e.status()
		for _, r := range s.Resources {
			if r.State != "ready" {
				t.Errorf("%s is %s: %s", r.Address, r.State, r.Detail)
			}
		}
		if len(s.Wires) < 3 {
			t.Errorf("wires are %+v", s.Wires)
		}
		for _, w := range s.Wires {
			if w.State != "up" {
				t.Errorf("%s → %s is %s: %s", w.From, w.To, w.State, w.Detail)
			}
		}
	})
	t.Run("editing booking's env replaces booking alone", func(t *testing.T) {
		e.edit("env.envctl.hcl", "PAS_URL = windows", "COLOUR = \"teal\"\n    PAS_URL = windows")
		e.onlyChange("container.booking", "replace")
		e.must("up")
		requestThroughBooking(t, e, "Penhaligon")
	})
	t.Run("editing a layer reapplies from there", func(t *testing.T) {
		e.edit("env.envctl.hcl", "Riverbank Practice", "Millpond Practice")
		c := e.onlyChange("windows.pas", "update")
		var steps []string
		for _, l := range c.Layers {
			kind, _, _ := strings.Cut(l.Name, ".")
			steps = append(steps, l.Action+" "+kind)
		}
		want := []string{"keep package", "undo firewall", "undo firewall", "undo service", "undo file", "undo registry",
			"apply registry", "apply file", "apply service", "apply firewall", "apply firewall"}
		if !slices.Equal(steps, want) {
			t.Errorf("steps are %q, want %q", steps, want)
		}
		e.must("up")
		requestThroughBooking(t, e, "Penhaligon")
		if c := e.changes(); len(c) > 0 {
			t.Errorf("a plan after it: %+v", c)
		}
	})
	t.Run("what is changed by hand on Windows is seen and mended", func(t *testing.T) {
		changeWindowsByHand(t, e)
		requestThroughBooking(t, e, "Penhaligon")
	})
	t.Run("a reboot of the machine is survived without a command", func(t *testing.T) {
		gateway := container(t, instance, "gateway.pas")
		before := links(t, gateway)
		e.run("exec", "windows.pas", "--", "shutdown", "/r", "/t", "0")
		connectsAgain(t, gateway, before)
		comesBack(t, e)
	})
	t.Run("the death of the machine is survived without a command", func(t *testing.T) {
		// The sandbox's own process dies, as by a crash; Docker starts it again.
		gateway := container(t, instance, "gateway.pas")
		before := links(t, gateway)
		pid := docker(t, "inspect", "--format", "{{.State.Pid}}", container(t, instance, "sandbox.pas"))[0]
		if out, err := exec.Command("kill", "-9", pid).CombinedOutput(); err != nil {
			t.Fatalf("kill: %v: %s", err, out)
		}
		connectsAgain(t, gateway, before)
		comesBack(t, e)
	})
	t.Run("a machine that was stopped is said to be, and up mends it", func(t *testing.T) {
		docker(t, "kill", container(t, instance, "sandbox.pas"))
		s := e.status()
		if got := s.state("windows.pas"); got != "unreachable" {
			t.Errorf("windows.pas is %s", got)
		}
		if got := s.wire("windows.pas.port.api"); got == "up" {
			t.Errorf("the wire is %s", got)
		}
		e.must("up")
		requestThroughBooking(t, e, "Penhaligon")
	})
	t.Run("the password is nowhere but where it belongs", func(t *testing.T) { searchFor(t, e, instance, password) })
	t.Run("down leaves nothing", func(t *testing.T) {
		e.must("down", "--volumes")
		if rest := left(t, instance); len(rest) > 0 {
			t.Errorf("left on the engine: %q", rest)
		}
		if _, err := os.Stat(e.state); !os.IsNotExist(err) {
			t.Errorf("the state folder is still there: %v", files(e.state))
		}
		if out, _ := exec.Command("pgrep", "-fa", instance).Output(); len(out) > 0 {
			t.Errorf("processes are left:\n%s", out)
		}
		if out, errs, code := e.run("down"); code != 0 {
			t.Errorf("a second down: exit code %d\n%s%s", code, out, errs)
		}
	})
}

func adt(id, nhs, family string) string {
	return strings.Join([]string{
		`MSH|^~\&|TEST|HERE|PAS|THERE|20260101120000||ADT^A04|` + id + `|P|2.4`,
		"EVN|A04|20260101120000",
		"PID|1||" + nhs + "^^^NHS^NH||" + family + "^Ada||19701231|F",
	}, "\r") + "\r"
}

// requestThroughBooking goes host → container → Windows → container and back.
func requestThroughBooking(t *testing.T, e *env, want string) {
	t.Helper()
	url := e.output("booking") + "/api/patients"
	body, err := get(url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if !strings.Contains(body, "family") && !strings.Contains(body, "name") || !strings.Contains(body, want) {
		t.Errorf("%s answered %s", url, body)
	}
}

// links is how often the machine's gateway has connected to it. A machine may be back before anyone looks, so
// that it was away is seen by this.
func links(t *testing.T, gateway string) int {
	t.Helper()
	out, err := exec.Command("docker", "exec", gateway, "/envctl-node", "gateway", "status").Output()
	var s struct{ Link struct{ Connections int } }
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil {
		t.Fatalf("the gateway's status: %v", err)
	}
	return s.Link.Connections
}

func connectsAgain(t *testing.T, gateway string, before int) {
	t.Helper()
	eventually(t, 60*time.Second, "the gateway connects again", func() (bool, string) {
		return links(t, gateway) > before, "it has not"
	})
}

func comesBack(t *testing.T, e *env) {
	t.Helper()
	url := e.output("booking") + "/api/patients"
	eventually(t, 90*time.Second, "a request goes through again", func() (bool, string) {
		body, err := get(url)
		return err == nil && strings.Contains(body, "Penhaligon"), fmt.Sprint(body, err)
	})
	eventually(t, 20*time.Second, "status says so", func() (bool, string) {
		s := e.status()
		return s.wire("windows.pas.port.api") == "up" && s.wire("container.db.port.sql") == "up" && s.state("windows.pas") == "ready",
			fmt.Sprintf("%+v", s)
	})
}

// databasePassword digs the generated password out of the one output that holds it.
func databasePassword(t *testing.T, e *env) string {
	t.Helper()
	_, rest, _ := strings.Cut(e.output("database"), "://")
	user, _, _ := strings.Cut(rest, "@")
	_, password, _ := strings.Cut(user, ":")
	if len(password) != 24 {
		t.Fatalf("the password has %d signs", len(password))
	}
	e.seen.Reset() // it was asked for
	return password
}

// searchFor looks for a secret wherever one could leak to.
func searchFor(t *testing.T, e *env, instance, secret string) {
	t.Helper()
	places := map[string][]byte{}
	add := func(name string, args ...string) {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		places[name] = out
	}
	ids := docker(t, "ps", "-aq", "--filter", label(instance))
	for _, id := range ids {
		add("labels and argv of "+id, "docker", "inspect", "--format", "{{json .Config.Labels}} {{json .Path}} {{json .Args}} {{json .Config.Cmd}} {{json .Config.Env}}", id)
		add("log of "+id, "docker", "logs", id)
		add("processes of "+id, "docker", "top", id, "-o", "pid,args")
	}
	for _, id := range docker(t, "images", "-q", "--filter", label(instance)) {
		add("image "+id, "docker", "history", "--no-trunc", id)
	}
	for _, args := range [][]string{{"plan", "--json"}, {"plan"}, {"up", "--json"}, {"status", "--json"}, {"outputs"}, {"outputs", "--json"}, {"logs", "--tail", "500"}} {
		e.must(args...)
	}
	places["what envctl printed"] = e.seen.Bytes()
	for _, path := range files(e.state) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		places[path] = text
	}
	manifest := e.must("exec", "windows.pas", "--", "cmd", "/c", "type", `C:\ProgramData\envctl\manifest.json`)
	places["the manifest"] = []byte(manifest)
	if len(places) < 10 {
		t.Fatalf("only %d places were searched", len(places))
	}
	for name, text := range places {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the password is in %s", name)
		}
	}
}

func files(dir string) (paths []string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}
