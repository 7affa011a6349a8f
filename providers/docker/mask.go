package docker

import (
	"maps"
	"slices"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/secret"
)

// maskOf hides the secrets that a container was given in whatever it, its build or the engine says.
func maskOf(c *envspec.Container) *secret.Masker {
	m := &secret.Masker{}
	m.Add(slices.Collect(maps.Values(c.Env))...)
	m.Add(c.Egress.Secrets()...)
	for _, f := range c.Files {
		m.Add(f.Content)
	}
	if b := c.Build; b != nil {
		m.Add(b.Egress.Secrets()...)
		m.Add(slices.Collect(maps.Values(b.Args))...)
		m.Add(slices.Collect(maps.Values(b.Secrets))...)
	}
	return m
}
