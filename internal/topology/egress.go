package topology

import (
	"maps"
	"slices"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/egress"
)

// wireNames are the names on an environment's network, which no proxy knows.
func wireNames(env *envspec.Environment) (names []string) {
	for _, c := range env.Containers {
		names = append(append(names, c.Addr.DNS()), c.Aliases...)
	}
	for _, m := range env.Machines {
		names = append(names, m.Addr.DNS())
	}
	return names
}

// setEgress lets a container of the spec, and its build, out.
func setEgress(c *envspec.Container, s *egress.Settings) {
	if s == nil {
		return
	}
	s = s.Inside()
	c.Egress = s.WithDirect(slices.Collect(maps.Keys(c.ExtraHosts))...)
	if c.Build != nil {
		b := *c.Build
		b.Egress = s
		c.Build = &b
	}
}
