package guest

import (
	"sort"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// hasBody reports whether the pointer that the layer's kind names is set.
func hasBody(l guestproto.Layer) bool {
	switch l.Kind {
	case "package":
		return l.Package != nil
	case "file":
		return l.File != nil
	case "archive":
		return l.Archive != nil
	case "registry":
		return l.Registry != nil
	case "service":
		return l.Service != nil
	case "env":
		return l.Env != nil
	case "firewall":
		return l.Firewall != nil
	case "user":
		return l.User != nil
	case "vault":
		return l.Vault != nil
	case "odbc":
		return l.ODBC != nil
	case "script":
		return l.Script != nil
	case "app":
		return l.App != nil
	case "reboot":
		return l.Reboot != nil
	case "feature":
		return l.Feature != nil
	case "certificate":
		return l.Certificate != nil
	case "task":
		return l.Task != nil
	}
	return false
}

// texts gives every Text of a layer.
func texts(l guestproto.Layer) []secret.Text {
	var all []secret.Text
	list := func(t []secret.Text) { all = append(all, t...) }
	table := func(t map[string]secret.Text) {
		for _, v := range t {
			all = append(all, v)
		}
	}
	one := func(t *secret.Text) {
		if t != nil {
			all = append(all, *t)
		}
	}
	if p := l.Package; p != nil {
		list(p.Args)
		table(p.Properties)
	}
	if f := l.File; f != nil {
		one(f.Content)
	}
	if r := l.Registry; r != nil {
		for _, v := range r.Values {
			one(&v.Value)
			list(v.Items)
		}
	}
	if s := l.Service; s != nil {
		table(s.Env)
		one(s.Password)
	}
	if e := l.Env; e != nil {
		one(&e.Value)
	}
	if u := l.User; u != nil {
		one(&u.Password)
	}
	if v := l.Vault; v != nil {
		one(&v.Password)
	}
	if o := l.ODBC; o != nil {
		table(o.Attributes)
	}
	if s := l.Script; s != nil {
		one(&s.Run)
		one(s.Undo)
		table(s.Env)
	}
	if a := l.App; a != nil {
		list(a.Args)
		table(a.Env)
	}
	if c := l.Certificate; c != nil {
		one(c.Content)
		one(c.Password)
	}
	if t := l.Task; t != nil {
		one(t.Password)
	}
	return all
}

// masker takes secrets out of what a person will read.
type masker struct{ secrets []string }

func newMasker() *masker { return &masker{} }

// layers adds what is sensitive in them: whole, and line by line, since output arrives by the line.
func (m *masker) layers(layers []guestproto.Layer) {
	seen := map[string]bool{}
	for _, s := range m.secrets {
		seen[s] = true
	}
	add := func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			m.secrets = append(m.secrets, s)
		}
	}
	for _, l := range layers {
		for _, t := range texts(l) {
			if !t.Sensitive {
				continue
			}
			add(t.Reveal())
			if lines := strings.FieldsFunc(t.Reveal(), func(r rune) bool { return r == '\n' || r == '\r' }); len(lines) > 1 {
				for _, line := range lines {
					if len(strings.TrimSpace(line)) >= 4 { // a lone brace would mask half of every message
						add(strings.TrimSpace(line))
					}
				}
			}
		}
	}
	// The longest first: one secret may be the beginning of another.
	sort.SliceStable(m.secrets, func(i, j int) bool { return len(m.secrets[i]) > len(m.secrets[j]) })
}

func (m *masker) mask(s string) string {
	for _, hidden := range m.secrets {
		s = strings.ReplaceAll(s, hidden, secret.Mask)
	}
	return s
}
