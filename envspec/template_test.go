package envspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var nested = map[string]string{
	"env.envctl.hcl": `
environment "shop" {}
container "db" {
  image = "db"
  port "sql" { guest = 5432 }
}
credential "c" {
  username = "c"
  generate {}
}
template "practice" {
  source = "./practice"
  inputs {
    database = container.db.port.sql.address
    sizes    = ["a", "b"]
    self     = template.practice.url
    shape    = { host = container.db.port.sql.host, pass = credential.c.password }
  }
}
container "web" {
  image = "web"
  env = {
    URL    = template.practice.url
    SECRET = template.practice.secret
    INNER  = template.practice.inner
  }
  depends_on = [template.practice]
}
output "url" { value = template.practice.url }
`,
	"practice/practice.envctl.hcl": `
variable "database" { type = string }
variable "sizes" { type = list(string) }
variable "self" {
  type    = string
  default = ""
}
variable "unset" { default = 7 }
variable "shape" {
  type = object({ host = string, port = optional(number, 80), pass = optional(string) })
}
locals { db = var.database }
credential "admin" {
  username = "root"
  generate {}
}
container "app" {
  for_each = toset(var.sizes)
  image    = "app"
  env      = { DB = local.db, SELF = var.self, KEY = each.key, FILE = file("note.txt"), SEVEN = var.unset, PASS = credential.admin.password, SHAPE = "${var.shape.host} ${var.shape.port}", SHAPEPASS = var.shape.pass }
  port "http" {
    guest  = 80
    scheme = "http"
  }
}
template "inner" {
  source = "./inner"
  inputs { db = local.db }
}
output "url" { value = container.app["a"].port.http.url }
output "secret" {
  sensitive = true
  value     = "hush"
}
output "inner" { value = template.inner.db }
`,
	"practice/note.txt":              "of the template",
	"practice/inner/in.envctl.hcl":   "variable \"db\" { type = string }\ncontainer \"x\" {\n  image = \"x\"\n  env   = { DB = var.db }\n}\noutput \"db\" { value = var.db }\n",
	"practice/inner/other.vars.hcl":  "db = \"not read\"\n",
	"practice/unrelated.envctl.hcl2": "nonsense {",
}

// TestTemplates: a scope of its own, addresses under its name, inputs and outputs at the vantage of
// whoever reads them, and an output may go back in as an input where nothing goes in circles.
func TestTemplates(t *testing.T) {
	s := loadDir(t, write(t, nested))
	env, diags := s.Evaluate(byName{}, planted{})
	if diags.HasErrors() {
		t.Fatal(render(s, diags))
	}
	var order []string
	for _, c := range env.Containers {
		order = append(order, c.Addr.String())
	}
	if diff := cmp.Diff([]string{
		"container.db", `template.practice.container.app["a"]`, `template.practice.container.app["b"]`,
		"template.practice.template.inner.container.x", "container.web",
	}, order); diff != "" {
		t.Errorf("containers -want +got:\n%s", diff)
	}
	b := `template.practice.container.app["b"]`
	if diff := cmp.Diff(map[string]string{
		"DB": b + "-sees-db:1", "SELF": "http://" + b + "-sees-practice-app-a:1", "KEY": "b", "FILE": "of the template", "SEVEN": "7",
		"PASS": "planted-practice.admin (sensitive)", "SHAPE": b + "-sees-db 80", "SHAPEPASS": "planted-c (sensitive)",
	}, env.env(t, b)); diff != "" {
		t.Errorf("app -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"URL": "http://container.web-sees-practice-app-a:1", "SECRET": "hush (sensitive)", "INNER": "container.web-sees-db:1",
	}, env.env(t, "container.web")); diff != "" {
		t.Errorf("web -want +got:\n%s", diff)
	}
	if got := env.Outputs[0].Value.Reveal(); got != "http://host-sees-practice-app-a:1" {
		t.Errorf("output: %s", got)
	}
	if diff := cmp.Diff([]string{
		"host > " + `template.practice.container.app["a"].port.http`,
		"container.web > container.db.port.sql",
		"container.web > " + `template.practice.container.app["a"].port.http`,
		`template.practice.container.app["a"] > container.db.port.sql`,
		b + " > container.db.port.sql",
		b + " > " + `template.practice.container.app["a"].port.http`,
		"template.practice.template.inner.container.x > container.db.port.sql",
	}, wiresOf(env)); diff != "" {
		t.Errorf("wires -want +got:\n%s", diff)
	}
}

// TestTemplateCircle: an output that needs the input that needs it.
func TestTemplateCircle(t *testing.T) {
	out := problems(t, map[string]string{
		"env.envctl.hcl": "environment \"x\" {}\ntemplate \"a\" {\n  source = \"./t\"\n  inputs { in = template.b.out }\n}\ntemplate \"b\" {\n  source = \"./t\"\n  inputs { in = template.a.out }\n}\n",
		"t/t.envctl.hcl": "variable \"in\" { type = string }\noutput \"out\" { value = \"${var.in}!\" }\ncontainer \"c\" { image = \"c\" }\n",
	})
	if !strings.Contains(out, "Values that need each other") || !strings.Contains(out, "env.envctl.hcl:4") || !strings.Contains(out, "env.envctl.hcl:8") {
		t.Errorf("got:\n%s", out)
	}
}

// TestTemplateShape: what exists takes an input without an address, and refuses one that holds one.
func TestTemplateShape(t *testing.T) {
	out := problems(t, map[string]string{
		"env.envctl.hcl": "environment \"x\" {}\ncontainer \"db\" {\n  image = \"db\"\n  port \"sql\" { guest = 1 }\n}\ntemplate \"a\" {\n  source = \"./t\"\n  inputs { tag = container.db.port.sql.host }\n}\n",
		"t/t.envctl.hcl": "variable \"tag\" { type = string }\ncontainer \"c\" { image = \"c:${var.tag}\" }\n",
	})
	if !strings.Contains(out, "The input behind var.tag holds an address") {
		t.Errorf("got:\n%s", out)
	}
}
