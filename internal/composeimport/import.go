// Package composeimport turns Compose files into a spec. It reads them as Compose does, writes what the
// language can say, and puts what it cannot as a comment at its place, so that nothing is dropped in
// silence. It knows nothing of engines and runs nothing.
package composeimport

import (
	"context"
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/envctl/envctl/envspec"
)

// Options says what to import.
type Options struct {
	Files []string // Compose files; each is merged over the one before
	Dir   string   // folder that the spec will lie in: its paths are taken from there
	// Environ looks up a variable of the host's environment; nil has none. It goes before the .env file
	// beside the first Compose file, as in Compose.
	Environ func(string) (string, bool)
}

// Left is something that the spec does not say as the Compose file did: it stands as a comment.
type Left struct {
	Line int    // in the spec, from 1
	Text string // without the comment's mark
}

// Result is a spec made from Compose files.
type Result struct {
	Spec []byte // of a *.envctl.hcl file
	// Secrets is of a *.auto.vars.hcl file: what the .env file or an env_file held for variables that are
	// secret by their names. Empty where there are none.
	Secrets    []byte
	Services   int
	Containers int
	Left       []Left
}

// mark begins every comment on something that was left.
const mark = "compose: "

// goesOn begins the further lines of a comment.
const goesOn = "#   "

// importer is one import.
type importer struct {
	source
	dir      string
	services []*service // in the order of the file
	byName   map[string]*service
	vars     map[string]*variable
	edges    map[string]map[string]bool // who waits for whom, by Compose names
	mounted  map[string][]string        // services by the named volume that they mount
	shared   map[string]string          // named volumes that have a block of their own, and its name
	pinned   map[string]string          // who has which port of the host
}

// Import reads Compose files and gives the spec that says the same. An error is about what cannot be read
// at all; what cannot be said is in the Result.
func Import(ctx context.Context, o Options) (*Result, error) {
	src, err := load(ctx, o)
	if err != nil {
		return nil, err
	}
	im := &importer{
		source: *src, dir: o.Dir, byName: map[string]*service{}, vars: map[string]*variable{},
		edges: map[string]map[string]bool{}, mounted: map[string][]string{}, shared: map[string]string{}, pinned: map[string]string{},
	}
	im.survey()
	for _, s := range im.services {
		im.prepare(s)
	}
	w := &writer{}
	body := &writer{}
	carried := 0
	for _, s := range im.services {
		if s.unable == "" {
			carried++
		}
		im.container(body, s)
	}
	im.head(w)
	im.variables(w)
	w.raw(body.String())
	spec, diags := envspec.Format([]byte(w.String()), "env"+envspec.Suffix)
	if diags.HasErrors() {
		return nil, fmt.Errorf("what was made of %s is not a spec: %w; please report this with the file", strings.Join(o.Files, ", "), diags)
	}
	spec = im.shortenComments(spec)
	return &Result{
		Spec: spec, Secrets: im.secretValues(), Services: len(im.services), Containers: carried, Left: lefts(spec),
	}, nil
}

// shortenComments names files in comments as the spec does. Compose has made their paths absolute.
func (im *importer) shortenComments(spec []byte) []byte {
	lines := strings.Split(string(spec), "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			line = strings.ReplaceAll(line, im.root+"/", "./")
			if strings.HasSuffix(line, " "+im.root) {
				line = strings.TrimSuffix(line, im.root) + "."
			}
			lines[i] = line
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// lefts finds the comments on what was left, in the finished text.
func lefts(spec []byte) (all []Left) {
	more := false
	for i, line := range strings.Split(string(spec), "\n") {
		if text, ok := strings.CutPrefix(strings.TrimLeft(line, " #"), mark); ok && strings.HasPrefix(strings.TrimSpace(line), "#") {
			all = append(all, Left{Line: i + 1, Text: text})
			more = true
			continue
		}
		rest, ok := strings.CutPrefix(strings.TrimLeft(line, " "), goesOn)
		if more = more && ok; more {
			all[len(all)-1].Text += " " + strings.TrimSpace(rest)
		}
	}
	return all
}

// head writes the environment block, and what stands at the top of the Compose file.
func (im *importer) head(w *writer) {
	name := identifier(im.project.Name)
	w.comment("Made from " + strings.Join(im.shown, ", ") + " by envctl import. A comment that begins with \"" + strings.TrimSpace(mark) + "\" is on something that is not carried over as it was.")
	if used := im.resolved(); len(used) > 0 {
		w.comment("Variables that were resolved when this was made: " + strings.Join(used, ", ") + ".")
	}
	w.line("environment " + quote(name) + " {}")
	w.line("")
	im.topLevel(w)
}

// topLevel comments on what Compose declares beside services.
func (im *importer) topLevel(w *writer) {
	p := im.project
	before := w.Len()
	if names := sorted(p.Networks); len(names) > 0 && (len(names) > 1 || names[0] != "default") {
		w.left("networks " + strings.Join(names, ", ") + ": here all containers share the environment's one network")
	}
	for _, name := range sorted(p.Networks) {
		n := p.Networks[name]
		n.Name = withoutDefault(n.Name, p.Name+"_"+name)
		w.leftover("network "+name, n)
	}
	for _, name := range sorted(p.Volumes) {
		v := p.Volumes[name]
		if shared := im.shared[name]; shared != "" {
			im.sharedVolume(w, shared, &v)
		}
		v.Name = withoutDefault(v.Name, p.Name+"_"+name)
		v.Driver = withoutDefault(v.Driver, "local")
		w.leftover("volume "+name, v)
	}
	for _, name := range sorted(p.Models) {
		w.leftover("model "+name, p.Models[name])
	}
	for _, name := range sorted(p.Jobs) {
		j := p.Jobs[name]
		j.Name = ""
		w.leftover("job "+name, j)
	}
	for _, kind := range []struct {
		what string
		used map[string]bool
		all  map[string]types.FileObjectConfig
	}{{"config", im.usedObjects("config"), configObjects(p)}, {"secret", im.usedObjects("secret"), secretObjects(p)}} {
		for _, name := range sorted(kind.all) {
			if !kind.used[name] {
				w.left(kind.what + " " + name + ": no service uses it")
			}
		}
	}
	if names := sorted(p.Extensions); len(names) > 0 {
		w.left(strings.Join(names, ", ") + ": extensions, which mean nothing by themselves; where they were merged in, they are in what follows")
	}
	if w.Len() > before {
		w.line("")
	}
}

func withoutDefault(have, usual string) string {
	if have == usual {
		return ""
	}
	return have
}
