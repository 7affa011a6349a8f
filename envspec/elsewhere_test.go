package envspec

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

func TestAFolderCannotBeMountedElsewhere(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": `environment "e" {}
container "c" {
  image = "debian"
  volume "data" { target = "/data" }
  volume "src" {
    source = "."
    target = "/src"
  }
}
`})
	spec, diags := Load(LoadOptions{Dir: dir})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if _, diags = spec.Evaluate(fixedFor(spec), planted{}); diags.HasErrors() {
		t.Fatalf("here: %v", diags)
	}
	spec.Elsewhere = "ssh://host"
	_, diags = spec.Evaluate(fixedFor(spec), planted{})
	if len(diags) != 1 || diags[0].Subject.Start.Line != 5 || !strings.Contains(diags[0].Detail, "ssh://host") || !strings.Contains(diags[0].Detail, dir) {
		t.Errorf("elsewhere: %v", diags)
	}
}

func TestAUDPPortIsNotCarriedElsewhere(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": `environment "e" {}
container "c" {
  image = "debian"
  port "web" { guest = 80 }
  port "dns" {
    guest    = 53
    protocol = "udp"
  }
}
`})
	spec, diags := Load(LoadOptions{Dir: dir})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if _, diags = spec.Evaluate(fixedFor(spec), planted{}); len(diags) > 0 {
		t.Fatalf("here: %v", diags)
	}
	spec.Elsewhere = "ssh://host"
	_, diags = spec.Evaluate(fixedFor(spec), planted{})
	if len(diags) != 1 || diags[0].Severity != hcl.DiagWarning || diags[0].Subject.Start.Line != 5 || !strings.Contains(diags[0].Detail, `port "dns" of container.c`) {
		t.Errorf("elsewhere: %v", diags)
	}
}
