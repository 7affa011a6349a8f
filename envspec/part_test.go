package envspec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/addr"
)

// counting counts how often an address is asked for.
type counting struct {
	fixed
	asked *int
}

func (c counting) Address(from addr.Addr, to addr.Endpoint) (string, int) {
	*c.asked++
	return c.fixed.Address(from, to)
}

// TestAReferenceMakesOnlyWhatItReads: of many resources, a reader asks for the addresses that it names.
func TestAReferenceMakesOnlyWhatItReads(t *testing.T) {
	s := load(t, `environment "e" {}
locals {
  all = toset([for n in range(100) : "n${n}"])
}
container "db" {
  for_each = local.all
  image    = "x"
  port "sql" { guest = 5432 }
}
container "app" {
  for_each = local.all
  image    = "x"
  env      = { DB = container.db[each.key].port.sql.address, FIRST = "${container.db["n0"].port.sql.host}" }
}
`)
	asked := 0
	env, diags := s.Evaluate(counting{fixedFor(s), &asked}, planted{})
	if diags.HasErrors() {
		t.Fatal(render(s, diags))
	}
	got := env.env(t, `container.app["n7"]`)
	if !strings.HasPrefix(got["DB"], "db-n7:") || got["FIRST"] != "db-n0" {
		t.Errorf("n7 has %v", got)
	}
	if len(env.Wires) != 199 {
		t.Errorf("%d wires, want two for each of 100, less one where they are the same", len(env.Wires))
	}
	if asked > 300 {
		t.Errorf("%d addresses were asked for by 100 readers of two", asked)
	}
}

// TestPartsKeepTheirMistakes: what a reference in parts lacks reads as before.
func TestPartsKeepTheirMistakes(t *testing.T) {
	head := "environment \"e\" {}\nvariable \"s\" { default = null }\ncontainer \"db\" {\n  for_each = toset([\"a\"])\n  image = \"x\"\n  port \"sql\" {\n    guest = 1\n    scheme = var.s\n  }\n}\n"
	for _, c := range []struct{ key, body, want string }{
		{"a", `container.db[each.key].port.sql.address`, ""},
		{"b", `container.db[each.key].port.sql.address`, "There is no \"b\" here"},
		{"a", `container.db["${each.key}"].port.sql.host`, ""},
		{"a", `container.db[each.key].port.nosql.address`, `"nosql"`},
		{"a", `try(container.db["a"].port.sql.url, "none")`, ""},
		{"a", `container.db["a"].port.sql.url`, `"url"`},
		{"b", `container.db["b"].port.sql.host`, `no key "b"`},
		{"a", `join(",", [for k, v in container.db : v.port.sql.address if k == each.key])`, ""},
		{"a", `[for var in ["x"] : var][0]`, ""},
	} {
		got := problems(t, map[string]string{"e.envctl.hcl": head + fmt.Sprintf("container \"app\" {\n  for_each = toset([%q])\n  image = \"x\"\n  env = { A = %s }\n}\n", c.key, c.body)})
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s, key %s: got %q, want %q", c.body, c.key, got, c.want)
		}
	}
}
