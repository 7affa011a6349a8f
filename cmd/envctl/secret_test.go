package main

import (
	"strings"
	"testing"
)

const secretive = `
environment "secretive" {}

credential "db" {
  env { password = "SECRETIVE_PASSWORD" }
}

container "db" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$| = 1; $SIG{TERM} = sub { exit 0 }; open F, $ENV{PASSWORD_FILE} or die; print qq(read ), length <F>, qq(\n); sleep 1 while 1"]
  user    = "1000:1001"
  ready {
    log { pattern = "read \\d+" }
  }
  secret "db_password" {
    value = credential.db.password
    env   = "PASSWORD_FILE"
  }
  secret "shared" {
    value = credential.db.password
    uid   = 7
    gid   = 8
    mode  = "0444"
  }
}

container "locked" {
  image     = "debian:trixie-slim"
  command   = ["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
  read_only = true
  tmpfs     = ["/run"]
  secret "db_password" { value = credential.db.password }
}
`

// TestSecretFile: a secret is a file from the start on, stays one, and is nowhere that the engine shows.
func TestSecretFile(t *testing.T) {
	t.Parallel()
	const planted = "planted-secret-file"
	e := newContainerEnv(t, "SECRETIVE_PASSWORD="+planted)
	e.write("env.envctl.hcl", secretive)
	e.must("plan")
	e.must("up")
	instance := e.instance()
	check := func(when string) {
		t.Helper()
		if got := e.must("exec", "db", "--", "sh", "-c", "cat $PASSWORD_FILE; echo; stat -c '%n %a %u:%g' /run/secrets/*"); got != planted+"\n/run/secrets/db_password 400 1000:1001\n/run/secrets/shared 444 7:8\n" {
			t.Errorf("%s: %q", when, got)
		}
		if got := e.must("exec", "locked", "--", "sh", "-c", "cat /run/secrets/db_password; echo; stat -c '%a %u:%g' /run/secrets/db_password"); got != planted+"\n400 0:0\n" {
			t.Errorf("%s, read-only: %q", when, got)
		}
	}
	if strings.Contains(e.seen.String(), planted) {
		t.Errorf("plan or up says it: %s", e.seen.String())
	}
	check("after up")
	db, locked := container(t, instance, "container.db"), container(t, instance, "container.locked")
	docker(t, "restart", db, locked)
	check("after the engine's restart")
	e.must("restart")
	check("after a restart")
	for _, id := range []string{db, locked} {
		if shown := strings.Join(docker(t, "inspect", id), "\n"); strings.Contains(shown, planted) {
			t.Error("the engine shows it")
		}
	}
	e.seen.Reset() // exec showed it, as it should
	if changes := e.changes(); len(changes) > 0 {
		t.Errorf("there is to do: %+v", changes)
	}
	e.vars = []string{"SECRETIVE_PASSWORD=another-" + planted}
	e.must("up")
	if container(t, instance, "container.db") == db {
		t.Error("with another secret it is the same container")
	}
	if strings.Contains(e.seen.String(), planted) {
		t.Errorf("it is said: %s", e.seen.String())
	}
	if got := e.must("logs", "db"); !strings.Contains(got, "read 27") {
		t.Errorf("it was not there when the process began: %q", got)
	}
}
