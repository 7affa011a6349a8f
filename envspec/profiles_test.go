package envspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

const profiled = `
environment "x" {}
locals { admin = container.admin.port.web.url }
container "app" {
  image = "app"
  port "web" {
    guest  = 80
    scheme = "http"
  }
}
container "admin" {
  image    = "admin"
  profiles = ["debug", "tools"]
  env      = { APP = container.app.port.web.url }
  port "web" {
    guest  = 81
    scheme = "http"
  }
  ready {
    tcp { port = "web" }
  }
}
windows "pas" {
  profiles = ["legacy"]
  source "sandbox" {}
}
job "seed" {
  for_each = { small = [], large = ["load"] }
  image    = "seed"
  profiles = each.value
}
container "helper" {
  image      = "helper"
  profiles   = ["debug"]
  depends_on = [container.admin]
}
output "app" { value = container.app.port.web.url }
output "admin" { value = local.admin }
output "browser" { value = container.admin.port.web.from_host.url }
`

func TestProfiles(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": profiled})
	for asked, want := range map[string]string{
		"":            `container.app job.seed["small"]; app`,
		"debug":       `container.app container.admin job.seed["small"] container.helper; app admin browser`,
		"tools":       `container.app container.admin job.seed["small"]; app admin browser`,
		"legacy load": `container.app job.seed["large"] job.seed["small"] windows.pas; app`,
		"*":           `container.app container.admin job.seed["large"] job.seed["small"] container.helper windows.pas; app admin browser`,
	} {
		s, diags := Load(LoadOptions{Dir: dir, Profiles: strings.Fields(asked)})
		if len(diags) > 0 {
			t.Errorf("%q: %v", asked, diags)
			continue
		}
		env, diags := s.Evaluate(standIn{s}, standIn{s})
		if len(diags) > 0 {
			t.Errorf("%q: %v", asked, diags)
			continue
		}
		var up, outputs []string
		for _, c := range env.Containers {
			up = append(up, c.Addr.String())
		}
		for _, m := range env.Machines {
			up = append(up, m.Addr.String())
		}
		for _, o := range env.Outputs {
			outputs = append(outputs, o.Name)
		}
		if diff := cmp.Diff(want, strings.Join(up, " ")+"; "+strings.Join(outputs, " ")); diff != "" {
			t.Errorf("%q: %s", asked, diff)
		}
		if n := len(s.Resources()); n != len(up) || n+len(s.Idle()) != 6 {
			t.Errorf("%q: %d resources, %d idle", asked, n, len(s.Idle()))
		}
		for _, w := range env.Wires {
			if !strings.Contains(want, w.To.Addr.String()) {
				t.Errorf("%q: a wire to %s", asked, w.To)
			}
		}
		for _, e := range s.Endpoints() {
			if !strings.Contains(want, e.Endpoint.Addr.String()) {
				t.Errorf("%q: an endpoint %s", asked, e.Endpoint)
			}
		}
	}
}

func TestProfileMistakes(t *testing.T) {
	const app = `image = "app"`
	for _, test := range []struct {
		name, written, instead string
		asked                  []string
		says                   string
	}{
		{"a wire", app, app + "\nenv = { A = local.admin }", nil, "container.app needs container.admin, which is up only with --profile debug or --profile tools."},
		{"an address of the host's", app, app + "\nenv = { A = container.admin.port.web.from_host.url }", nil, "container.app needs container.admin"},
		{"an order", app, app + "\ndepends_on = [windows.pas]", nil, "container.app needs windows.pas, which is up only with --profile legacy."},
		{"one key", app, app + "\ndepends_on = [job.seed]", nil, `container.app needs job.seed["large"], which is up only with --profile load.`},
		{"between two", "[container.admin]", "[windows.pas]", []string{"debug"}, "container.helper needs windows.pas"},
		{"in what is not up", `image    = "admin"`, `imag = "admin"`, nil, `Did you mean "image"?`},
		{"a value in what is not up", `image    = "admin"`, "image = \"admin\"\nmemory = \"much\"", nil, "Not a size"},
		{"not a name", `["debug", "tools"]`, `["a,b"]`, []string{"debug"}, `"a,b" cannot be a profile`},
		{"an address", `["debug", "tools"]`, `[container.app.port.web.host]`, []string{"debug"}, "\"profiles\" is settled before there are addresses"},
	} {
		src := strings.Replace(profiled, test.written, test.instead, 1)
		_, diags := Load(LoadOptions{Dir: write(t, map[string]string{"env.envctl.hcl": src}), Profiles: test.asked})
		errors := diags.Errs()
		if len(errors) == 0 || !strings.Contains(errors[0].Error(), test.says) {
			t.Errorf("%s: %v", test.name, diags)
		}
	}
	_, diags := Load(LoadOptions{Dir: write(t, map[string]string{"env.envctl.hcl": profiled}), Profiles: []string{"debgu"}})
	if len(diags) != 1 || diags[0].Severity != hcl.DiagWarning || !strings.Contains(diags[0].Detail, `Did you mean "debug"?`) {
		t.Error(diags)
	}
}
