package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/envctl/envctl/envspec"
)

// always is what nobody wants in a container: what a version control system keeps, and what editors put beside a
// file while they save it.
var always = []string{"**/.git", "**/.hg", "**/.svn", "**/.DS_Store", "**/*~", "**/.*.sw?", "**/.*.swpx", "**/4913", "**/.#*", "**/#*#", "**/*___jb_???___"}

// Rules are the watch blocks of one container.
type Rules struct{ blocks []*rule }

// rule is one block.
type rule struct {
	dir                      string // names are from here
	sync                     string
	roots                    []root
	ignore, restart, rebuild *patternmatcher.PatternMatcher
	context                  string // of the build; "" where there is none
	leaves                   *patternmatcher.PatternMatcher
	extra                    map[string]bool // files that are watched only for restart and rebuild, by path
}

// root is one of a block's paths. A link is followed here, and below it none is.
type root struct{ name, path string }

// New makes the rules. Build may be nil; what its .dockerignore leaves out is not synced.
func New(blocks []envspec.Watch, build *envspec.Build) (*Rules, error) {
	r := &Rules{}
	for _, b := range blocks {
		one, err := newRule(b, build)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		r.blocks = append(r.blocks, one)
	}
	return r, nil
}

func newRule(b envspec.Watch, build *envspec.Build) (*rule, error) {
	dir := realPath(b.Dir)
	r := &rule{dir: dir, sync: b.Sync, extra: map[string]bool{}}
	for _, p := range b.Paths {
		name, err := filepath.Rel(b.Dir, p)
		if err != nil {
			return nil, err
		}
		r.roots = append(r.roots, root{filepath.ToSlash(name), realPath(p)})
	}
	var err error
	matcher := func(patterns []string) *patternmatcher.PatternMatcher {
		m, merr := patternmatcher.New(patterns)
		err = errors.Join(err, merr)
		return m
	}
	r.ignore = matcher(append(append([]string{}, always...), b.Ignore...))
	r.restart, r.rebuild = matcher(b.Restart), matcher(b.Rebuild)
	if build != nil && build.Context != "" {
		var patterns []string
		if patterns, err = dockerignore(build); err != nil {
			return nil, err
		}
		r.context, r.leaves = realPath(build.Context), matcher(patterns)
	}
	for _, p := range append(append([]string{}, b.Restart...), b.Rebuild...) {
		if !strings.ContainsAny(p, `*?[\!`) {
			file := filepath.Join(dir, filepath.FromSlash(p))
			if _, _, covered := r.place(file); !covered {
				r.extra[file] = true
			}
		}
	}
	return r, err
}

// dockerignore reads what a build leaves out, from the file that the build would take it from.
func dockerignore(b *envspec.Build) ([]string, error) {
	name := b.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	for _, file := range []string{filepath.FromSlash(name) + ".dockerignore", ".dockerignore"} {
		f, err := os.Open(filepath.Join(b.Context, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return ignorefile.ReadAll(f)
	}
	return nil, nil
}

// realPath follows links, as far as there is something.
func realPath(p string) string {
	if real, err := filepath.EvalSymlinks(p); err == nil {
		return real
	}
	return p
}

// place says which of the roots a file is in, and what it is called from the spec's folder.
func (r *rule) place(file string) (in root, name string, ok bool) {
	for _, root := range r.roots { // the last that holds it decides, as the last COPY does
		if rest, under := below(file, root.path); under {
			in, name, ok = root, path.Join(root.name, filepath.ToSlash(rest)), true
		}
	}
	return in, name, ok
}

// below gives what of a path is below dir, "" where it is dir itself.
func below(file, dir string) (rest string, ok bool) {
	if file == dir {
		return "", true
	}
	if !strings.HasSuffix(dir, string(filepath.Separator)) {
		dir += string(filepath.Separator)
	}
	return strings.CutPrefix(file, dir)
}

func matches(m *patternmatcher.PatternMatcher, name string) bool {
	if m == nil || name == "." {
		return false
	}
	yes, err := m.MatchesOrParentMatches(filepath.FromSlash(name))
	return err == nil && yes
}

// ignored reports whether a file is left alone; skip, whether all that is below it is too.
func (r *rule) ignored(name string) (ignored, skip bool) {
	ignored = matches(r.ignore, name)
	return ignored, ignored && !r.ignore.Exclusions()
}

// unsent reports whether a file of the host has no place in the image that is built of it.
func (r *rule) unsent(file string) (unsent, skip bool) {
	rest, ok := "", false
	if r.leaves != nil {
		rest, ok = below(file, r.context)
	}
	if !ok || rest == "" || !matches(r.leaves, filepath.ToSlash(rest)) {
		return false, false
	}
	return true, !r.leaves.Exclusions()
}

// Calls says what changes of a file call for.
type Calls struct{ Restart, Rebuild bool }

func (c *Calls) add(other Calls) {
	c.Restart, c.Rebuild = c.Restart || other.Restart, c.Rebuild || other.Rebuild
}

func (r *rule) calls(name string) Calls {
	return Calls{Restart: matches(r.restart, name), Rebuild: matches(r.rebuild, name)}
}

// Sync reports whether anything is synced.
func (r *Rules) Sync() bool {
	for _, b := range r.blocks {
		if b.sync != "" {
			return true
		}
	}
	return false
}
