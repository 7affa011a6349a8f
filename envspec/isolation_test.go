package envspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/internal/addr"
)

const isolated = `
environment "x" {}
container "app" {
  image        = "debian"
  pull         = "never"
  privileged   = true
  read_only    = true
  hostname     = "other.example"
  dns          = ["192.0.2.53", "2001:db8::1"]
  shm_size     = "128MB"
  ulimits      = { nofile = "1024:65536", core = -1 }
  sysctls      = { "net.core.somaxconn" = 1024 }
  devices      = ["/dev/fuse", "/dev/ttyUSB0:/dev/modem:rw"]
  gpus         = 2
  group_add    = ["video"]
  cap_drop     = ["ALL"]
  security_opt = ["no-new-privileges"]
  logging {
    driver  = "local"
    options = { "max-size" = "10m" }
  }
}
`

func TestIsolation(t *testing.T) {
	dir := write(t, map[string]string{"env.envctl.hcl": isolated})
	s, diags := Load(LoadOptions{Dir: dir})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	env, diags := s.Evaluate(standIn{s}, standIn{s})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	want := &Container{
		Addr: addr.Addr{Kind: addr.Container, Name: "app"}, Image: "debian", Pull: "never",
		Privileged: true, ReadOnly: true, Hostname: "other.example", DNS: []string{"192.0.2.53", "2001:db8::1"}, ShmSize: 128 << 20,
		Ulimits: []Ulimit{{"core", -1, -1}, {"nofile", 1024, 65536}}, Sysctls: map[string]string{"net.core.somaxconn": "1024"},
		Devices: []Device{{"/dev/fuse", "/dev/fuse", "rwm"}, {"/dev/ttyUSB0", "/dev/modem", "rw"}}, GPUs: 2,
		GroupAdd: []string{"video"}, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		Logging: &Logging{Driver: "local", Options: map[string]string{"max-size": "10m"}},
	}
	if diff := cmp.Diff(want, env.Containers[0]); diff != "" {
		t.Error(diff)
	}
}

func TestIsolationMistakes(t *testing.T) {
	for _, test := range []struct{ written, instead, says string }{
		{`"1024:65536"`, `"many"`, "Not a limit"},
		{`"1024:65536"`, `"65536:1024"`, "above the hard one"},
		{`"1024:65536"`, `"-1:1024"`, "above the hard one"},
		{`"/dev/fuse"`, `"fuse"`, "Not a device"},
		{`/dev/modem:rw`, `/dev/modem:rx`, "Not a device"},
		{`gpus         = 2`, `gpus = "some"`, "Not a number of GPUs"},
		{`"192.0.2.53"`, `"ns.example"`, "Not an address"},
		{`"other.example"`, `"other_example"`, "Not the name of a computer"},
		{`pull         = "never"`, `pull_policy = "never"`, "What comes nearest is pull"},
		{`"never"`, `"sometimes"`, "Not one of the choices"},
		{`gpus         = 2`, "tmpfs = [\"/run:size=1m\"]\n file \"/run/x\" { content = \"\" }", "A file would be hidden"},
		{`gpus         = 2`, `file "/x" { content = "" }`, "Nothing can be put there"},
		{`image        = "debian"`, `build { inline = "FROM debian" }`, `pull`},
	} {
		dir := write(t, map[string]string{"env.envctl.hcl": strings.Replace(isolated, test.written, test.instead, 1)})
		_, diags := Load(LoadOptions{Dir: dir})
		if len(diags) != 1 || !strings.Contains(diags[0].Summary+": "+diags[0].Detail, test.says) {
			t.Errorf("%s: %v", test.instead, diags)
		}
	}
}
