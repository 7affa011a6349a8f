package guestproto

import "github.com/envctl/envctl/internal/secret"

// Texts gives every Text of a layer, secret or not.
func (l Layer) Texts() []secret.Text {
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
