package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const editable = `
environment "byhand" {}

container "app" {
  image   = "debian:trixie-slim"
  command = ["perl", "-MIO::Socket::INET", "-e", "$SIG{TERM} = sub { exit 0 }; $s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c qq(HTTP/1.0 200 OK\r\n\r\nhere); close $c }"]
  init    = true
  memory  = "64MB"
  cpus    = 0.5
  port "web" {
    guest  = 7000
    scheme = "http"
  }
  file "/etc/app.conf" { content = "as made" }
  ready {
    tcp { port = "web" }
  }
}

container "other" {
  image   = "debian:trixie-slim"
  command = ["sleep", "600"]
  init    = true
  env     = { APP = container.app.port.web.host }
}

output "app" { value = container.app.port.web.url }
`

// TestByHand edits a container as people do. Plan says what was there and what will be; up mends it, and nothing else.
func TestByHand(t *testing.T) {
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", editable)
	e.must("up")
	instance := e.instance()
	name := docker(t, "inspect", "--format", "{{.Name}}", container(t, instance, "container.app"))[0][1:]
	network := strings.TrimSuffix(name, "-app")
	asMade := func() []string {
		return docker(t, "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", container(t, instance, "container.other"))
	}
	other := asMade()

	for _, test := range []struct {
		what    string
		edit    []string // what docker is told
		action  string   // "" where it cannot be seen
		cause   string
		values  string
		another bool // up makes another container of it
	}{
		{what: "a new name", edit: []string{"rename", name, name + "-mine"}, action: "update", cause: "changed by hand: name", values: "name: " + name + "-mine -> " + name},
		{what: "taken off the network", edit: []string{"network", "disconnect", network, name}, action: "update", cause: "changed by hand: network", values: "network:  -> " + network},
		{what: "other limits", edit: []string{"update", "--memory", "128m", "--memory-swap", "256m", "--cpus", "1", name}, action: "update", cause: "changed by hand: memory, cpus",
			values: "cpus: 1 -> 0.5, memory: 134217728 -> 67108864"},
		{what: "stopped", edit: []string{"stop", name}, action: "update", cause: "exited with code 0"},
		{what: "killed", edit: []string{"kill", name}, action: "update", cause: "exited with code 137"},
		{what: "paused", edit: []string{"pause", name}, action: "update", cause: "paused"},
		{what: "removed", edit: []string{"rm", "-f", name}, action: "create", cause: "not there yet", another: true},
		// What a container holds is its own: programs change their files too.
		{what: "a file inside", edit: []string{"exec", name, "sh", "-c", "echo by hand >/etc/app.conf"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			before := container(t, instance, "container.app")
			docker(t, test.edit...)
			if test.action == "" {
				if c := e.changes(); len(c) > 0 {
					t.Errorf("the plan is %+v", c)
				}
				return
			}
			// An engine's list of containers may be a moment behind what it did (26.1's is).
			eventually(t, 5*time.Second, "plan sees it", func() (bool, string) {
				stdout, _, code := e.run("plan", "--detailed-exitcode")
				return code == 2, stdout
			})
			c := e.onlyChange("container.app", test.action)
			var values []string
			for _, v := range c.Values {
				values = append(values, fmt.Sprintf("%s: %s -> %s", v.Name, v.Old, v.New))
			}
			if c.Cause != test.cause || strings.Join(values, ", ") != test.values {
				t.Errorf("the plan is %+v", c)
			}
			e.must("up")
			if c := e.changes(); len(c) > 0 {
				t.Errorf("a plan after up: %+v", c)
			}
			after := container(t, instance, "container.app")
			if (before != after) != test.another {
				t.Errorf("container %s is %s now", before, after)
			}
			if got := docker(t, "inspect", "--format", "{{.Name}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}", after); !slices.Equal(got, []string{"/" + name, "67108864", "134217728", "500000000"}) {
				t.Errorf("it is %q", got)
			}
			eventually(t, 10*time.Second, "it answers at its port", func() (bool, string) {
				body, err := get(e.output("app"))
				return err == nil && body == "here", fmt.Sprint(body, err)
			})
			e.must("exec", "other", "--", "perl", "-MIO::Socket::INET", "-e", `IO::Socket::INET->new("app:7000") or die`)
		})
	}
	t.Run("the network itself", func(t *testing.T) {
		for _, address := range []string{"container.app", "container.other"} {
			docker(t, "network", "disconnect", network, container(t, instance, address))
		}
		docker(t, "network", "rm", network)
		if c := e.changes(); len(c) != 3 || c[0].Action != "create" || c[1].Cause != "changed by hand: network" || c[2].Cause != c[1].Cause {
			t.Errorf("the plan is %+v", c)
		}
		e.must("up")
		if c := e.changes(); len(c) > 0 {
			t.Errorf("a plan after up: %+v", c)
		}
		e.must("exec", "other", "--", "perl", "-MIO::Socket::INET", "-e", `IO::Socket::INET->new("app:7000") or die`)
	})
	if now := asMade(); !slices.Equal(now, other) {
		t.Errorf("the other container was %q and is %q", other, now)
	}
}
