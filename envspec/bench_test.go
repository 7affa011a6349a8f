package envspec

import (
	"fmt"
	"strings"
	"testing"
)

// manyContainers gives a spec of n containers, each reading the one before.
func manyContainers(n int) string {
	var b strings.Builder
	b.WriteString("environment \"many\" {}\nvariable \"tag\" { default = \"1.27\" }\ncredential \"db\" {\n  username = \"app\"\n  generate {}\n}\nlocals {\n  level = \"info\"\n  first = container.c0.port.http.url\n}\n")
	for i := range n {
		fmt.Fprintf(&b, `
container "c%d" {
  image = "nginx:${var.tag}"
  env = {
    LEVEL    = local.level
    PASSWORD = credential.db.password
    BEFORE   = %s
    FIRST    = %s
  }
  port "http" {
    guest  = 80
    scheme = "http"
  }
  volume "data" { target = "/data" }
  ready {
    http {
      port = "http"
      path = "/healthz"
    }
  }
}
`, i, before(i), map[bool]string{true: "\"\"", false: "local.first"}[i == 0])
	}
	return b.String()
}

func before(i int) string {
	if i == 0 {
		return `"none"`
	}
	return fmt.Sprintf("container.c%d.port.http.address", i-1)
}

func BenchmarkLoadAndEvaluate(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := write(b, map[string]string{"env.envctl.hcl": manyContainers(n)})
			b.ReportAllocs()
			for b.Loop() {
				s, diags := Load(options(dir))
				if diags.HasErrors() {
					b.Fatal(render(s, diags[:1]))
				}
				if _, diags := s.Evaluate(fixedFor(s), planted{}); diags.HasErrors() {
					b.Fatal(diags)
				}
			}
		})
	}
}

// BenchmarkForEach: each of n readers reads the element of its own key, and no other is made for it.
func BenchmarkForEach(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := load(b, fmt.Sprintf(`environment "many" {}
locals {
  all = toset(flatten([for i in range(%d) : [for j in range(100) : "n${i}-${j}"]]))
}
container "db" {
  for_each = local.all
  image    = "postgres"
  port "sql" { guest = 5432 }
}
container "app" {
  for_each = local.all
  image    = "app"
  env      = { DB = container.db[each.key].port.sql.address }
}
`, n/100))
			b.ReportAllocs()
			for b.Loop() {
				if _, diags := s.Evaluate(fixedFor(s), planted{}); diags.HasErrors() {
					b.Fatal(diags)
				}
			}
		})
	}
}
