package envspec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
)

const jobs = `
environment "x" {}
container "db" {
  image = "postgres"
  port "sql" { guest = 5432 }
}
job "migrate" {
  image   = "app"
  timeout = "10m"
  env     = { DB = container.db.port.sql.address }
}
job "seed" {
  for_each   = ["a", "b"]
  image      = "app"
  depends_on = [job.migrate]
}
container "app" {
  image      = "app"
  depends_on = [job.seed]
}
`

func TestJobs(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": jobs})
	s, diags := Load(LoadOptions{Dir: dir})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	env, diags := s.Evaluate(standIn{s}, standIn{s})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	got := map[string]string{}
	for _, c := range env.Containers {
		var after []string
		for _, a := range c.After {
			after = append(after, a.String())
		}
		got[c.Addr.String()] = strings.Join(after, " ")
	}
	want := map[string]string{
		"container.db": "", "job.migrate": "container.db", `job.seed["a"]`: "job.migrate", `job.seed["b"]`: "job.migrate",
		"container.app": `job.seed["a"] job.seed["b"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	migrate := env.Containers[1]
	if migrate.Addr.Kind != addr.Job || migrate.Timeout != 10*time.Minute || migrate.Env["DB"].Value != "db:5432" {
		t.Errorf("%+v", migrate)
	}
}

func TestJobMistakes(t *testing.T) {
	for _, test := range []struct{ written, instead, says string }{
		{`timeout = "10m"`, `restart = "always"`, `has no argument "restart"`},
		{`timeout = "10m"`, `ports = ["80"]`, `has no argument "ports"`},
		{`timeout = "10m"`, `port "web" { guest = 80 }`, `has no block "port"`},
		{`= [job.migrate]`, `= [container.migrate]`, "Did you mean job.migrate?"},
		{`container.db.port.sql.address`, `job.seed["a"].port.sql.address`, "A job is not a value"},
		{`container.db.port.sql.address`, `jsonencode(job.migrate)`, "depends_on = [job.migrate]"},
	} {
		dir := write(t, map[string]string{"env.envctl.hcl": strings.Replace(jobs, test.written, test.instead, 1)})
		_, diags := Load(LoadOptions{Dir: dir})
		if len(diags) != 1 || !strings.Contains(diags[0].Summary+": "+diags[0].Detail, test.says) {
			t.Errorf("%s: %v", test.instead, diags)
		}
	}
}
