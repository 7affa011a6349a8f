package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

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
	ignore, restart, rebuild *patterns
	context                  string // of the build; "" where there is none
	leaves                   *patterns
}

// root is one of a block's paths. A link is followed here, and below it none is.
type root struct {
	name, path string
	named      bool // only in restart or rebuild: it is not synced
}

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
	r := &rule{dir: dir, sync: b.Sync}
	for _, p := range b.Paths {
		name, err := filepath.Rel(b.Dir, p)
		if err != nil {
			return nil, err
		}
		r.roots = append(r.roots, root{name: filepath.ToSlash(name), path: realPath(p)})
	}
	var err error
	matcher := func(list []string) *patterns {
		m, merr := patternmatcher.New(list)
		err = errors.Join(err, merr)
		return &patterns{m: m}
	}
	r.ignore = matcher(slices.Concat(always, b.Ignore))
	r.restart, r.rebuild = matcher(b.Restart), matcher(b.Rebuild)
	if build != nil && build.Context != "" {
		left, derr := dockerignore(build)
		if derr != nil {
			return nil, derr
		}
		r.context, r.leaves = realPath(build.Context), matcher(left)
	}
	for _, p := range slices.Concat(b.Restart, b.Rebuild) {
		if !strings.ContainsAny(p, `*?[\!`) {
			file := realPath(filepath.Join(dir, filepath.FromSlash(p)))
			if !r.covers(file) {
				r.roots = append(r.roots, root{p, file, true})
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

// covers reports whether a file is in one of the roots.
func (r *rule) covers(file string) bool {
	return slices.ContainsFunc(r.roots, func(in root) bool {
		_, ok := below(file, in.path)
		return ok
	})
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

// patterns are those of a .dockerignore. The library readies each when it first needs it, and so is for one goroutine
// at a time.
type patterns struct {
	mu sync.Mutex
	m  *patternmatcher.PatternMatcher
}

// match reports whether a name is meant, or a folder that it is in. The spec's folder itself never is.
func (p *patterns) match(name string) bool {
	if p == nil || name == "." {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	yes, err := p.m.MatchesOrParentMatches(filepath.FromSlash(name))
	return err == nil && yes
}

// ignored reports whether a file is left alone; skip, whether all that is below it is too.
func (r *rule) ignored(name string) (ignored, skip bool) {
	ignored = r.ignore.match(name)
	return ignored, ignored && !r.ignore.m.Exclusions()
}

// unsent reports whether a file of the host has no place in the image that is built of it.
func (r *rule) unsent(file string) (unsent, skip bool) {
	rest, ok := "", false
	if r.leaves != nil {
		rest, ok = below(file, r.context)
	}
	if !ok || rest == "" || !r.leaves.match(filepath.ToSlash(rest)) {
		return false, false
	}
	return true, !r.leaves.m.Exclusions()
}

// Calls says what changes of a file call for.
type Calls struct{ Restart, Rebuild bool }

func (c *Calls) add(other Calls) {
	c.Restart, c.Rebuild = c.Restart || other.Restart, c.Rebuild || other.Rebuild
}

func (r *rule) calls(name string) Calls {
	return Calls{Restart: r.restart.match(name), Rebuild: r.rebuild.match(name)}
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
