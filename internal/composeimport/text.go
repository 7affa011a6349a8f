package composeimport

import (
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// text is a string with expressions in it. In s each stands as its number between two private-use
// characters, so that the rest can be searched as the string that it is.
type text struct {
	s     string
	exprs []expr
}

// expr is what is put into a string: a variable, or a reference.
type expr struct {
	code  string
	value string // what it was when it was imported
}

const (
	opens  = "\uE000"
	closes = "\uE001"
)

var marker = lazyregexp.New(opens + `(\d+)` + closes)

// literal is a text without expressions.
func literal(s string) text { return text{s: s} }

// add puts in an expression, and gives what stands for it in s.
func (t *text) add(e expr) string {
	t.exprs = append(t.exprs, e)
	return opens + strconv.Itoa(len(t.exprs)-1) + closes
}

// plain is the string with every expression's value at its place.
func (t text) plain() string {
	return marker.ReplaceAllStringFunc(t.s, func(m string) string { return t.exprs[number(m)].value })
}

func number(m string) int {
	n, _ := strconv.Atoi(marker.FindStringSubmatch(m)[1]) // digits, by the pattern
	return n
}

// hcl writes the text as an expression of the language.
func (t text) hcl() string {
	at := marker.FindAllStringIndex(t.s, -1)
	if len(at) == 0 {
		return quote(t.s)
	}
	if len(at) == 1 && at[0][0] == 0 && at[0][1] == len(t.s) {
		return t.exprs[number(t.s)].code
	}
	var b strings.Builder
	b.WriteByte('"')
	last := 0
	for _, m := range at {
		part := quote(t.s[last:m[0]])
		b.WriteString(part[1:len(part)-1] + "${" + t.exprs[number(t.s[m[0]:m[1]])].code + "}")
		last = m[1]
	}
	part := quote(t.s[last:])
	b.WriteString(part[1:])
	return b.String()
}

// place says what may stand where a text goes.
type place int

const (
	hides place = iota // a secret may stand here
	shows              // it may not
)

var (
	plainVariable   = lazyregexp.New(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?\?[^}]*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
	variableDefault = lazyregexp.New(`\$\{([A-Za-z_][A-Za-z0-9_]*):?-([^{}$]*)\}`)
)

// text gives what stands at a path of the Compose file, with its variables as variables. Where they
// cannot be found again in what was resolved, it is that.
func (im *importer) text(resolved string, at place, path ...string) text {
	raw, ok := im.rawAt(path).(string)
	if !ok || !strings.Contains(raw, "$") {
		return literal(resolved)
	}
	t, names := im.template(raw)
	if len(names) == 0 || t.plain() != resolved {
		return literal(resolved)
	}
	for _, name := range names {
		im.use(name, at)
	}
	return t
}

// template reads a string of Compose. A variable without a default stays one, and so does one that is
// secret by its name and has a value; others are resolved.
func (im *importer) template(raw string) (text, []string) {
	var t text
	stay := func(name string) string {
		value, _ := im.lookup(name)
		return t.add(expr{code: "var." + identifier(name), value: value})
	}
	s := variableDefault.ReplaceAllStringFunc(raw, func(m string) string {
		name := variableDefault.FindStringSubmatch(m)[1]
		if value, set := im.lookup(name); set && value != "" && secretName(name) {
			return stay(name)
		}
		return m
	})
	s = plainVariable.ReplaceAllStringFunc(s, func(m string) string {
		if m == "$$" {
			return m
		}
		parts := plainVariable.FindStringSubmatch(m)
		return stay(parts[1] + parts[2])
	})
	out, err := template.SubstituteWithOptions(s, im.lookup, template.WithoutLogging)
	if err != nil {
		return literal(""), nil
	}
	t.s = out
	var names []string
	for _, m := range marker.FindAllString(t.s, -1) {
		code := t.exprs[number(m)].code
		for _, v := range plainVariable.FindAllStringSubmatch(raw, -1) {
			if n := v[1] + v[2]; n != "" && "var."+identifier(n) == code {
				names = append(names, n)
			}
		}
		for _, v := range variableDefault.FindAllStringSubmatch(raw, -1) {
			if "var."+identifier(v[1]) == code {
				names = append(names, v[1])
			}
		}
	}
	return t, names
}

// rawAt finds what stands at a path before variables are resolved. A list of NAME=VALUE is a map too.
func (im *importer) rawAt(path []string) any {
	var here any = im.raw
	for _, name := range path {
		switch v := here.(type) {
		case map[string]any:
			here = v[name]
		case []any:
			here = inList(v, name)
		default:
			return nil
		}
	}
	return here
}

func inList(list []any, name string) any {
	if n, err := strconv.Atoi(name); err == nil && n < len(list) {
		return list[n]
	}
	for _, item := range list {
		if text, ok := item.(string); ok {
			if k, v, ok := strings.Cut(text, "="); ok && k == name {
				return v
			}
		}
	}
	return nil
}

// identifier makes a name of the language from any other.
func identifier(s string) string {
	var b strings.Builder
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		other := r >= '0' && r <= '9' || r == '_' || r == '-'
		switch {
		case i == 0 && !letter:
			b.WriteByte('x')
			if other {
				b.WriteRune(r)
			}
		case letter || other:
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	if b.Len() == 0 {
		return "x"
	}
	return b.String()
}
