package composeimport

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/template"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// variable is one of Compose's that became a variable block.
type variable struct {
	name   string // Compose's
	value  string // from .env or an env_file
	stored bool   // value is there
	from   string // the file that it is from
	demand bool   // Compose refuses to start without it
	shown  bool   // stands where a secret may not
}

var (
	secretWords = lazyregexp.New(`(?i)(passw(or)?d|passwd|passphrase|(^|_)pass$|(^|_)pw$|secret|token|api_?key|private_?key|access_?key|encryption_?key|signing_?key|secret_?key)`)
	notSecret   = lazyregexp.New(`(?i)(_FILE|_PATH|_URL|_DIR|_TTL|_EXPIR\w*|_ENABLED|_LENGTH|_HEADER|_NAME|_ID|_TYPE|_LIFETIME|_TIMEOUT)$|^ALLOW_|NO_PASS`)
	urlPassword = lazyregexp.New(`://[^/@:\s]*:[^/@\s]+@`)
)

// secretName reports whether a variable's name says that its value is secret.
func secretName(name string) bool {
	return secretWords.MatchString(name) && !notSecret.MatchString(name)
}

// use notes that a variable is read, and where.
func (im *importer) use(name string, at place) {
	v := im.vars[name]
	if v == nil {
		v = &variable{name: name, demand: im.demanded()[name].Required}
		v.value, v.stored = im.dotenv[name]
		v.from = ".env"
		im.vars[name] = v
	}
	v.shown = v.shown || at == shows
}

// demanded finds the variables of the files, with their defaults.
func (im *importer) demanded() map[string]template.Variable {
	if im.raw == nil {
		return nil
	}
	return template.ExtractVariables(im.raw, template.DefaultPattern)
}

// variables writes a block for each variable that something reads.
func (im *importer) variables(w *writer) {
	for _, name := range sorted(im.vars) {
		v := im.vars[name]
		secret := secretName(v.name) && !v.shown
		w.block("variable "+quote(identifier(v.name)), func(w *writer) {
			w.attr("type", "string")
			switch {
			case v.stored && secretName(v.name):
				w.comment("Its value is in secrets.auto.vars.hcl, from " + v.from + ".")
			case v.stored:
				w.attr("default", "env("+quote(v.name)+", "+quote(v.value)+")")
			case v.demand:
				w.attr("default", "env("+quote(v.name)+")")
			default:
				w.attr("default", "env("+quote(v.name)+", \"\")")
			}
			if secret {
				w.attr("sensitive", "true")
			}
			if secretName(v.name) && v.shown {
				w.left("the name says that this is secret, but it stands where everybody can read it (a command line, label or build argument); move it to env or a file and set sensitive = true")
			}
		})
		w.line("")
	}
}

// secretValues gives the content of the file of variables that holds what .env and env_file held.
func (im *importer) secretValues() []byte {
	w := &writer{}
	for _, name := range sorted(im.vars) {
		if v := im.vars[name]; v.stored && secretName(v.name) {
			w.attr(identifier(v.name), quote(v.value))
		}
	}
	if w.Len() == 0 {
		return nil
	}
	return []byte("# From .env and env_file by envctl import: secrets, for this computer alone. Keep this file out of version control.\n" + w.String())
}

// resolved names the variables whose default or value went into the spec as it was.
func (im *importer) resolved() []string {
	var names []string
	for _, name := range sorted(im.demanded()) {
		if im.vars[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// literalSecret reports whether a value that stands in the Compose file is a password.
func literalSecret(name string, t text) bool {
	if len(t.exprs) > 0 && marker.ReplaceAllString(t.s, "") == "" || t.s == "" {
		return false
	}
	if secretName(name) && !strings.HasPrefix(t.s, "/run/secrets/") && !isWord(t.s) {
		return true
	}
	return urlPassword.MatchString(t.s) && !strings.Contains(urlPassword.FindString(t.s), opens)
}

// isWord reports whether a value only switches something on or off.
func isWord(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null":
		return true
	}
	return false
}
