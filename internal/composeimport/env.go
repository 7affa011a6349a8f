package composeimport

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/mattn/go-shellwords"
)

// prepare works out what a container's texts come to, so that every port that something refers to is
// known before the first block is written.
func (im *importer) prepare(s *service) {
	if s.unable != "" {
		return
	}
	im.environment(s)
	s.cmd["entrypoint"] = im.words(s, s.Entrypoint, "services", s.Name, "entrypoint")
	s.cmd["command"] = im.words(s, s.Command, "services", s.Name, "command")
	if len(s.Entrypoint) > 0 {
		s.Entrypoint = nil
	}
	if len(s.Command) > 0 {
		s.Command = nil
	}
}

// environment collects env_file and environment, which goes over it.
func (im *importer) environment(s *service) {
	values := map[string]text{}
	from := map[string]string{}
	for _, f := range s.EnvFiles {
		name := im.shorten(f.Path)
		read, err := im.envFile(f.Path)
		switch {
		case os.IsNotExist(err) && !bool(f.Required):
			s.notes = append(s.notes, mark+"env_file "+name+": it is not there, and need not be")
			continue
		case err != nil:
			s.notes = append(s.notes, mark+"env_file "+name+": "+notThere(err))
			continue
		}
		s.notes = append(s.notes, "env holds what was in "+name+" when this was imported.")
		for k, v := range read {
			values[k], from[k] = literal(v), name
			if secretName(k) && v != "" && !isWord(v) {
				values[k] = im.fromFile(s, k, v, name)
			}
		}
	}
	s.EnvFiles = nil
	for k, v := range s.Environment {
		delete(from, k)
		if v == nil {
			values[k] = im.passed(k)
			continue
		}
		values[k] = im.text(*v, hides, "services", s.Name, "environment", k)
	}
	s.Environment = nil
	notes := map[string][]string{}
	for _, k := range sorted(values) {
		if note := im.bareHost(s, values, k); note != "" {
			notes[k] = append(notes[k], note)
		}
	}
	for _, k := range sorted(values) {
		if from[k] == "" && literalSecret(k, values[k]) {
			notes[k] = append(notes[k], mark+"a password in the clear: a credential block (or a variable with sensitive = true) keeps it out of the spec")
		}
		t, more := im.refer(s, values[k], k)
		s.env = append(s.env, entry{key: k, value: t.hcl(), notes: append(notes[k], more...)})
	}
}

// passed is a variable that Compose passes on from the host where it is set there.
func (im *importer) passed(name string) text {
	var t text
	if _, ok := im.dotenv[name]; ok {
		im.use(name, hides)
		t.s = t.add(expr{code: "var." + identifier(name), value: im.dotenv[name]})
		return t
	}
	code := "env(" + quote(name) + ", null)"
	if secretName(name) {
		code = "sensitive(" + code + ")"
	}
	t.s = t.add(expr{code: code})
	return t
}

// fromFile makes a variable of a secret that an env_file holds.
func (im *importer) fromFile(s *service, key, value, file string) text {
	name := key
	if v := im.vars[name]; v != nil && (v.value != value || !v.stored) {
		name = s.Name + "_" + key
	}
	im.vars[name] = &variable{name: name, value: value, stored: true, from: file}
	var t text
	t.s = t.add(expr{code: "var." + identifier(name), value: value})
	return t
}

func (im *importer) envFile(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return dotenv.ParseWithLookup(f, im.lookup)
}

// notThere words a file's error without the path, which has been said.
func notThere(err error) string {
	switch {
	case os.IsNotExist(err):
		return "it is not there"
	case os.IsPermission(err):
		return "it may not be read"
	}
	return err.Error()
}

// words gives a command's arguments, with variables and references. Compose splits a command that is one
// string in the file, as a shell would; so does this, before the variables have their values.
func (im *importer) words(s *service, resolved []string, path ...string) []text {
	split := im.split(len(resolved), path)
	var out []text
	for i, word := range resolved {
		t := im.text(word, shows, append(append([]string(nil), path...), fmt.Sprint(i))...)
		if split != nil {
			t = split[i]
		}
		t, notes := im.refer(s, t, path[len(path)-1])
		s.notes = append(s.notes, notes...)
		out = append(out, t)
	}
	return out
}

// split reads a command that is one string and has variables; nil where it is none, or where a variable's
// value is several words.
func (im *importer) split(words int, path []string) []text {
	raw, ok := im.rawAt(path).(string)
	if !ok || !strings.Contains(raw, "$") {
		return nil
	}
	t, names := im.template(raw)
	parts, err := shellwords.Parse(t.s)
	if err != nil || len(names) == 0 || len(parts) != words {
		return nil
	}
	for _, name := range names {
		im.use(name, shows)
	}
	out := make([]text, len(parts))
	for i, p := range parts {
		out[i] = text{s: p, exprs: t.exprs}
	}
	return out
}

// list writes texts as a list, one a line where they are long.
func list(items []text) string {
	total, out := 0, "["
	for _, t := range items {
		total += len(t.hcl()) + 2
	}
	for i, t := range items {
		switch {
		case total > 100:
			out += "\n" + t.hcl() + ","
		case i > 0:
			out += ", " + t.hcl()
		default:
			out += t.hcl()
		}
	}
	if total > 100 {
		out += "\n"
	}
	return out + "]"
}

func literals(items []string) []text {
	out := make([]text, len(items))
	for i, s := range items {
		out[i] = literal(s)
	}
	return out
}

// exists reports whether a path of the host is there.
func exists(path string) bool {
	_, err := os.Stat(filepath.FromSlash(path))
	return err == nil
}
