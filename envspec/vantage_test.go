package envspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
)

const fourVantages = `
environment "shop" {}
locals {
  pas_url = windows.pas.port.api.url
}
container "web" {
  image = "nginx"
  env = {
    PAS    = local.pas_url
    PUBLIC = windows.pas.port.api.from_host.url
    SELF   = container.web.port.http.address
  }
  port "http" { guest = 80 }
}
windows "pas" {
  source "sandbox" {}
  env "OWN" { value = local.pas_url }
  port "api" {
    guest  = 8080
    scheme = "http"
  }
}
windows "other" {
  source "sandbox" {}
  env "PAS" { value = local.pas_url }
}
output "pas" { value = local.pas_url }
`

// TestVantage: one local, read from four places, is four addresses.
func TestVantage(t *testing.T) {
	s := load(t, fourVantages)
	env, diags := s.Evaluate(byName{}, planted{})
	if diags.HasErrors() {
		t.Fatal(render(s, diags))
	}
	got := map[string]string{
		"web":    env.env(t, "container.web")["PAS"],
		"public": env.env(t, "container.web")["PUBLIC"],
		"pas":    env.Machines[0].Layers[0].Env.Value.Reveal(),
		"other":  env.Machines[1].Layers[0].Env.Value.Reveal(),
		"host":   env.Outputs[0].Value.Reveal(),
	}
	want := map[string]string{
		"web":    "http://container.web-sees-pas:1",
		"public": "http://host-sees-pas:1",
		"pas":    "http://windows.pas-sees-pas:1",
		"other":  "http://windows.other-sees-pas:1",
		"host":   "http://host-sees-pas:1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"host > windows.pas.port.api", "container.web > windows.pas.port.api", "windows.other > windows.pas.port.api",
	}, wiresOf(env)); diff != "" {
		t.Errorf("wires -want +got:\n%s", diff)
	}
	if env.Machines[0].After != nil {
		t.Errorf("a machine that reads its own port waits for %v", env.Machines[0].After)
	}
}

// byName gives addresses that say who sees whom.
type byName struct{}

func (byName) Address(from addr.Addr, to addr.Endpoint) (string, int) {
	return from.String() + "-sees-" + to.Addr.DNS(), 1
}

func wiresOf(env *Environment) []string {
	var out []string
	for _, w := range env.Wires {
		out = append(out, w.From.String()+" > "+w.To.String())
	}
	return out
}

// TestMarks: what a body really received is a wire, whatever the value went through on its way.
func TestMarks(t *testing.T) {
	const head = `
environment "shop" {}
locals {
  unused = container.db.port.sql.address
  both   = { db = container.db.port.sql.address, cache = container.cache.port.redis.address }
}
variable "which" { default = "db" }
container "db" {
  image = "db"
  port "sql" {
    guest  = 5432
    scheme = "postgres"
  }
}
container "cache" {
  image = "cache"
  port "redis" { guest = 6379 }
}
container "node" {
  for_each = toset(["a", "b"])
  image    = "node"
  port "http" { guest = 80 }
}
`
	db, cache := "container.web > container.db.port.sql", "container.web > container.cache.port.redis"
	a, b := `container.web > container.node["a"].port.http`, `container.web > container.node["b"].port.http`
	tests := []struct {
		name, expr string
		want       []string
		ordered    bool
	}{
		{"plain", `container.db.port.sql.address`, []string{db}, true},
		{"number", `container.db.port.sql.port`, []string{db}, true},
		{"url", `container.db.port.sql.url`, []string{db}, true},
		{"from the host", `container.db.port.sql.from_host.address`, nil, false},
		{"the guest's number", `container.db.port.sql.guest`, nil, false},
		{"the scheme", `container.db.port.sql.scheme`, nil, false},
		{"template", `"x-${container.db.port.sql.host}-y"`, []string{db}, true},
		{"function", `upper(format("%s", container.db.port.sql.host))`, []string{db}, true},
		{"one of a local's", `local.both.db`, []string{db}, true},
		{"all of a local", `join(",", values(local.both))`, []string{cache, db}, true},
		{"index by a variable", `local.both[var.which]`, []string{db}, true},
		{"for", `join(",", [for k, n in container.node : n.port.http.address])`, []string{a, b}, true},
		{"for with a condition", `join(",", [for k, n in container.node : n.port.http.address if k == "a"])`, []string{a}, true},
		{"for over a map", `jsonencode({ for k, n in container.node : k => n.port.http.host })`, []string{a, b}, true},
		{"splat", `join(",", values(container.node)[*].port.http.address)`, []string{a, b}, true},
		{"key", `container.node["b"].port.http.address`, []string{b}, true},
		{"keys alone", `join(",", keys(container.node))`, nil, false},
		{"length alone", `length(container.node)`, nil, false},
		{"try", `try(container.db.port.sql.address, "none")`, []string{db}, true},
		{"try that fails over", `try(jsondecode("{"), container.db.port.sql.address)`, []string{db}, true},
		{"coalesce", `coalesce(null, container.db.port.sql.address)`, []string{db}, true},
		{"conditional keeps both", `true ? container.db.port.sql.address : container.cache.port.redis.address`, []string{cache, db}, true},
		{"templatefile", `templatefile("x.tpl", { a = container.db.port.sql.address, b = local.both })`, []string{db}, true},
		{"unordered", `unordered(container.db.port.sql.address)`, []string{db}, false},
		{"unordered inside", `"x${unordered(local.both).db}"`, []string{db}, false},
		{"both ways", `"${unordered(container.db.port.sql.host)}${container.db.port.sql.host}"`, []string{db}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"env.envctl.hcl": head + "container \"web\" {\n  image = \"web\"\n  env   = { A = " + tt.expr + " }\n}\noutput \"x\" { value = var.which }\n",
				"x.tpl":          "at ${a}",
			})
			env := evaluate(t, loadDir(t, dir))
			if diff := cmp.Diff(tt.want, wiresOf(env)); diff != "" {
				t.Errorf("wires -want +got:\n%s", diff)
			}
			web := env.Containers[len(env.Containers)-1]
			if got := len(web.After) > 0; got != tt.ordered {
				t.Errorf("After is %v", web.After)
			}
		})
	}
}

// TestSecrets: a secret stays one through whatever it goes, and what it did not touch stays plain.
func TestSecrets(t *testing.T) {
	const head = `
environment "shop" {}
credential "db" {
  username = "app"
  generate {}
}
variable "token" {
  type      = string
  sensitive = true
  default   = "planted-token"
}
locals { login = { user = credential.db.username, pass = credential.db.password } }
output "o" { value = var.token }
`
	tests := []struct {
		name, expr string
		secret     bool
	}{
		{"password", `credential.db.password`, true},
		{"user name", `credential.db.username`, false},
		{"in a template", `"postgres://${credential.db.password}@db"`, true},
		{"of a local", `local.login.pass`, true},
		{"beside one in a local", `local.login.user`, false},
		{"function", `base64encode(upper(credential.db.password))`, true},
		{"whole local", `jsonencode(local.login)`, true},
		{"for", `join(",", [for k, v in local.login : v])`, true},
		{"splat", `join(",", [local.login][*].pass)`, true},
		{"try", `try(local.login.pass, "none")`, true},
		{"templatefile", `templatefile("x.tpl", { a = credential.db.password })`, true},
		{"length", `length(credential.db.password)`, true},
		{"variable", `"x${var.token}"`, true},
		{"sensitive()", `sensitive("x")`, true},
		{"merge", `merge({ a = "x" }, { b = credential.db.password }).b`, true},
		{"sha256", `sha256(credential.db.password)`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"env.envctl.hcl": head + "container \"web\" {\n  image = \"web\"\n  env   = { A = " + tt.expr + ", B = \"plain\" }\n}\n",
				"x.tpl":          "at ${a}",
			})
			env := evaluate(t, loadDir(t, dir))
			got := env.Containers[0].Env
			if got["A"].Sensitive != tt.secret {
				t.Errorf("%s is sensitive: %v, want %v", tt.expr, got["A"].Sensitive, tt.secret)
			}
			if got["B"].Sensitive {
				t.Error("what stands beside it is sensitive too")
			}
		})
	}
}

// TestNoSecretInDiagnostics: a message never quotes a secret, even from a function that fails on one.
func TestNoSecretInDiagnostics(t *testing.T) {
	const head = `
environment "shop" {}
variable "token" {
  type      = string
  sensitive = true
}
`
	exprs := []string{
		`parseint(var.token, 10)`, `tonumber(var.token)`, `jsondecode(var.token)`, `file(var.token)`, `regex("[", var.token)`,
		`{ (var.token) = 1 }`, `[1][var.token]`, `formatdate(var.token, "x")`, `templatefile("x.tpl", { a = var.token })`, `env(var.token)`,
		`lookup({}, var.token)`, `yamldecode("${var.token}: {")`, `base64decode(var.token)`, `timeadd(var.token, "1h")`, `"${[var.token]}"`,
		`{ a = var.token }.b`, `true ? var.token : {}`, `var.token + 1`, `!var.token`,
	}
	for _, expr := range exprs {
		t.Run(expr, func(t *testing.T) {
			dir := write(t, map[string]string{
				"env.envctl.hcl": head + "container \"web\" {\n  image = \"web\"\n  memory = " + expr + "\n}\n",
				"x.tpl":          "${parseint(a, 10)}",
			})
			s, diags := Load(options(dir, "token", "hunter2-{"))
			if !diags.HasErrors() {
				t.Fatal("no error")
			}
			if out := render(s, diags); strings.Contains(out, "hunter2") {
				t.Errorf("the secret is in:\n%s", out)
			}
		})
	}
}
