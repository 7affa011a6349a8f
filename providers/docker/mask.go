package docker

import (
	"errors"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/secret"
)

// masker hides the secrets that a container was given in whatever it, its build or the engine says.
type masker struct{ secrets []string }

func maskOf(c *envspec.Container) masker {
	var m masker
	add := func(t secret.Text) {
		if !t.Sensitive {
			return
		}
		// What is printed comes in lines, so a secret of several lines is hidden line by line too.
		for _, s := range append(strings.Split(t.Reveal(), "\n"), t.Reveal()) {
			if s = strings.TrimSpace(s); len(s) >= 3 {
				m.secrets = append(m.secrets, s)
			}
		}
	}
	for _, v := range c.Env {
		add(v)
	}
	for _, v := range c.Egress.Secrets() {
		add(v)
	}
	for _, f := range c.Files {
		add(f.Content)
	}
	if c.Build != nil {
		for _, v := range c.Build.Egress.Secrets() {
			add(v)
		}
		for _, v := range c.Build.Args {
			add(v)
		}
		for _, v := range c.Build.Secrets {
			add(v)
		}
	}
	return m
}

func (m masker) text(s string) string {
	for _, hidden := range m.secrets {
		s = strings.ReplaceAll(s, hidden, secret.Mask)
	}
	return s
}

func (m masker) sink(report event.Sink) event.Sink {
	return func(e event.Event) {
		e.Message, e.Error = m.text(e.Message), m.text(e.Error)
		report(e)
	}
}

// error gives err itself where its text holds no secret, so that callers can tell what it is, and else
// only the text.
func (m masker) error(err error) error {
	if err == nil {
		return nil
	}
	if text := m.text(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}
