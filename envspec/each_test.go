package envspec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForEach: containers, machines and credentials by key, reached by key, by for and by splat.
func TestForEach(t *testing.T) {
	s := load(t, `
environment "x" {}
variable "nodes" {
  default = { b = 82, a = 81 }
}
credential "node" {
  for_each = var.nodes
  username = "node-${each.key}"
  generate {}
}
container "node" {
  for_each = var.nodes
  image    = "node:${each.value}"
  env = {
    PASS  = credential.node[each.key].password
    USER  = credential.node["a"].username
    PEERS = join(",", [for k, n in container.node : unordered(n.port.http.address) if k != each.key])
  }
  port "http" { guest = each.value }
}
windows "pc" {
  for_each = ["one", "two"]
  source "sandbox" {}
  winrm { credential = credential.node["b"] }
  env "NAME" { value = each.value }
}
container "all" {
  image      = "all"
  depends_on = [container.node, windows.pc["two"]]
}
`)
	env := evaluate(t, s)
	if diff := cmp.Diff(map[string]string{"PASS": `planted-node["b"] (sensitive)`, "USER": `user-node["a"]`, "PEERS": "node-a:40000"}, env.env(t, `container.node["b"]`)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var names []string
	for _, c := range s.Credentials() {
		names = append(names, c.Name+"="+c.Username)
	}
	if diff := cmp.Diff([]string{`node["a"]=node-a`, `node["b"]=node-b`}, names); diff != "" {
		t.Errorf("credentials -want +got:\n%s", diff)
	}
	var after []string
	for _, a := range env.Containers[2].After {
		after = append(after, a.String())
	}
	if diff := cmp.Diff([]string{`container.node["a"]`, `container.node["b"]`, `windows.pc["two"]`}, after); diff != "" {
		t.Errorf("After -want +got:\n%s", diff)
	}
	if got := env.Machines[1].Layers[0].Env.Value.Reveal(); got != "two" {
		t.Errorf("each.value in a layer: %q", got)
	}
	if got := env.Machines[0].WinRM.Credential; got != `node["b"]` {
		t.Errorf("credential: %s", got)
	}
}

// TestDynamic: the blocks stand where the dynamic block stands, layers too, with their marks.
func TestDynamic(t *testing.T) {
	s := load(t, `
environment "x" {}
locals { ports = { http = 80, admin = 8080 } }
container "db" {
  image = "db"
  port "sql" { guest = 1 }
}
windows "pas" {
  source "sandbox" {}
  env "FIRST" { value = "1" }
  dynamic "registry" {
    for_each = ["A", "B"]
    iterator = key
    labels   = ["HKLM\\SOFTWARE\\${key.value}"]
    content {
      values = { Index = key.key, Db = container.db.port.sql.host }
    }
  }
  env "LAST" { value = "1" }
}
container "web" {
  image = "web"
  dynamic "port" {
    for_each = local.ports
    labels   = [port.key]
    content {
      guest  = port.value
      scheme = port.key == "http" ? "http" : null
    }
  }
  dynamic "file" {
    for_each = toset(["a"])
    labels   = ["/etc/${file.value}"]
    content { content = container.db.port.sql.address }
  }
}
output "web" { value = "${container.web.port.http.url} ${container.web.port.admin.address}" }
`)
	env := evaluate(t, s)
	var layers []string
	for _, l := range env.Machines[0].Layers {
		layers = append(layers, l.ID())
	}
	if diff := cmp.Diff([]string{"env.FIRST", `registry.HKLM\SOFTWARE\A`, `registry.HKLM\SOFTWARE\B`, "env.LAST"}, layers); diff != "" {
		t.Errorf("layers -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"host > container.web.port.admin", "host > container.web.port.http", "container.web > container.db.port.sql", "windows.pas > container.db.port.sql",
	}, wiresOf(env)); diff != "" {
		t.Errorf("wires -want +got:\n%s", diff)
	}
	if got := len(s.Endpoints()); got != 3 {
		t.Errorf("%d endpoints are known before evaluation", got)
	}
}
