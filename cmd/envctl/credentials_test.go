package main

import (
	"os/exec"
	"strings"
	"testing"
)

const keyed = `
environment "keyed" {}

credential "key" {
  username = "svc"
  generate { length = 20 }
}
credential "token" {
  env { password = "KEYED_TOKEN" }
}

container "user" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
  env     = { KEY = credential.key.password }
}

output "user-name" { value = credential.key.username }
output "quoted"    { value = "it's \"$HOME\"\nand more" }
output "key" {
  value     = credential.key.password
  sensitive = true
}
`

func TestCredentials(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t, "KEYED_TOKEN=planted-token")
	e.write("env.envctl.hcl", keyed)
	type output struct {
		Credentials []struct {
			Name, Source, Version string
			UsedBy                map[string]string `json:"used_by"`
		}
	}
	var o output
	e.decode(&o, "credentials", "--json")
	if len(o.Credentials) != 2 || o.Credentials[0].Version != "" || o.Credentials[1].Version == "" || o.Credentials[1].Source != "environment variable KEYED_TOKEN" {
		t.Errorf("before up: %+v", o)
	}
	if _, errs, code := e.run("credentials", "--reveal", "key"); code != 1 || !strings.Contains(errs, "envctl up") {
		t.Errorf("what is not made yet: exit code %d: %s", code, errs)
	}
	e.must("up")
	before := strings.TrimSpace(e.must("exec", "user", "--", "printenv", "KEY"))
	e.decode(&o, "credentials", "--json")
	first := o.Credentials[0]
	if first.Source != "generated" || first.Version == "" || first.UsedBy["container.user"] != first.Version {
		t.Errorf("after up: %+v", o)
	}
	table := e.must("credentials")
	if strings.Contains(e.seen.String(), "planted-token") || strings.Contains(table, before) {
		t.Errorf("a value is shown: %s", table)
	}
	if got := e.must("credentials", "--reveal", "key"); got != before+"\n" {
		t.Error("--reveal gives another value than the container has")
	}

	e.must("credentials", "rotate", "key")
	after := strings.TrimSpace(e.must("credentials", "--reveal", "key"))
	if after == before || len(after) != 20 {
		t.Errorf("rotated to a value of %d signs", len(after))
	}
	e.onlyChange("container.user", "replace")
	e.decode(&o, "credentials", "--json")
	if c := o.Credentials[0]; c.Version == first.Version || c.UsedBy["container.user"] != first.Version {
		t.Errorf("between rotate and up: %+v", o)
	}
	e.must("up")
	if now := strings.TrimSpace(e.must("exec", "user", "--", "printenv", "KEY")); now != after {
		t.Error("up did not bring the new value")
	}
	if _, errs, code := e.run("credentials", "rotate", "token"); code != 1 || !strings.Contains(errs, "not generated") {
		t.Errorf("rotate of one from elsewhere: exit code %d: %s", code, errs)
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t, "KEYED_TOKEN=planted-token")
	e.write("env.envctl.hcl", keyed)
	if _, _, code := e.run("env"); code != 1 {
		t.Errorf("of nothing: exit code %d", code)
	}
	e.must("up")
	script := e.must("env")
	if strings.Contains(script, "KEY=") {
		t.Errorf("a sensitive value is there without --reveal: %s", script)
	}
	out, err := exec.Command("sh", "-c", script+`printf '%s|%s' "$USER_NAME" "$QUOTED"`).Output()
	if want := "svc|it's \"$HOME\"\nand more"; err != nil || string(out) != want {
		t.Errorf("the shell has %q, not %q: %v", out, want, err)
	}
	if got := e.must("env", "--format", "dotenv", "--reveal"); !strings.Contains(got, "USER_NAME='svc'\n") ||
		!strings.Contains(got, `QUOTED="it's \"\$HOME\"\nand more"`) || !strings.Contains(got, "KEY='"+e.output("key")+"'") {
		t.Errorf("dotenv: %s", got)
	}
	var o struct{ Variables map[string]string }
	e.decode(&o, "env", "--json")
	if len(o.Variables) != 2 || o.Variables["USER_NAME"] != "svc" {
		t.Errorf("json: %+v", o)
	}
	if _, _, code := e.run("env", "--format", "csv"); code != 64 {
		t.Errorf("--format csv: exit code %d", code)
	}
}
