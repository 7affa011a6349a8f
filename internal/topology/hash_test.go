package topology

import (
	"testing"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/providers"
)

// TestIdentityCoversIsolation: each of these makes a container another one, under a name in the plan.
func TestIdentityCoversIsolation(t *testing.T) {
	identity := func(c *envspec.Container) (string, map[string]string) {
		var n providers.Node
		if err := hashContainer(&n, c, nil); err != nil {
			t.Fatal(err)
		}
		return n.Identity, n.Parts
	}
	plain, _ := identity(&envspec.Container{Image: "debian"})
	for part, c := range map[string]envspec.Container{
		"read_only":        {ReadOnly: true},
		"hostname":         {Hostname: "a"},
		"dns":              {DNS: []string{"192.0.2.1"}},
		"shm_size":         {ShmSize: 1},
		"group_add":        {GroupAdd: []string{"video"}},
		"cap_drop":         {CapDrop: []string{"ALL"}},
		"security_opt":     {SecurityOpt: []string{"no-new-privileges"}},
		"gpus":             {GPUs: envspec.AllGPUs},
		"ulimits.core":     {Ulimits: []envspec.Ulimit{{Name: "core"}}},
		"sysctls.a":        {Sysctls: map[string]string{"a": "0"}},
		"devices./dev/x":   {Devices: []envspec.Device{{Host: "/dev/null", Container: "/dev/x", Permissions: "rwm"}}},
		"network.ca":       {Egress: &egress.Settings{CA: "pem", Direct: []string{"db"}}},
		"logging.driver":   {Logging: &envspec.Logging{Driver: "local"}},
		"logging.max-size": {Logging: &envspec.Logging{Options: map[string]string{"max-size": "1m"}}},
	} {
		c.Image = "debian"
		id, parts := identity(&c)
		if id == plain || parts[part] == "" || len(parts) != 2 {
			t.Errorf("%s: identity differs: %t, parts %v", part, id != plain, parts)
		}
	}
	if id, _ := identity(&envspec.Container{Image: "debian", Pull: "always"}); id != plain {
		t.Error("when it is pulled makes it another container")
	}
}

// TestIdentityCoversVolumes: what is mounted makes a container another one, and the plan names it.
func TestIdentityCoversVolumes(t *testing.T) {
	uploads := addr.Addr{Kind: addr.Volume, Name: "uploads"}
	seen := map[string]string{}
	for name, v := range map[string]envspec.Volume{
		"own":      {},
		"bind":     {Source: "/srv"},
		"shared":   {Shared: uploads},
		"another":  {Shared: addr.Addr{Kind: addr.Volume, Name: "other"}},
		"external": {Shared: uploads, External: "theirs"},
	} {
		v.Name, v.Target = "u", "/data"
		var n providers.Node
		if err := hashContainer(&n, &envspec.Container{Image: "debian", Volumes: []envspec.Volume{v}}, nil); err != nil {
			t.Fatal(err)
		}
		if n.Parts["volume.u"] == "" {
			t.Errorf("%s: parts %v", name, n.Parts)
		}
		if other := seen[n.Identity]; other != "" {
			t.Errorf("%s and %s have one identity", name, other)
		}
		seen[n.Identity] = name
	}
}
