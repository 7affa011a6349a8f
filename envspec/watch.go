package envspec

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/moby/patternmatcher"
)

// Watch says what of the host a container follows while `up --watch` runs. Patterns are those of a .dockerignore,
// from Dir.
type Watch struct {
	Dir                      string   // absolute
	Paths                    []string // absolute
	Ignore, Restart, Rebuild []string
	Sync                     string // absolute and clean; "" syncs nothing
}

// watch reads a watch block, after the rest of the container was read.
func (r *reader) watch(dir string, c *Container) Watch {
	w := Watch{Dir: dir, Sync: r.str("sync"), Ignore: r.patterns("ignore"), Restart: r.patterns("restart"), Rebuild: r.patterns("rebuild")}
	places := r.places("paths")
	for i, name := range r.strings("paths") {
		at := r.rangeOf("paths")
		if i < len(places) {
			at = places[i]
		}
		file := resolvePath(dir, name)
		if _, err := os.Stat(file); err != nil {
			r.report(fault(CodeFile, at, "No such file or folder", "There is no %s to watch.", file))
			continue
		}
		w.Paths = append(w.Paths, file)
	}
	if len(w.Paths) == 0 && len(places) == 0 && r.has("paths") {
		r.report(fault(CodeValue, r.rangeOf("paths"), "Nothing to watch", "\"paths\" is empty. Name a file or a folder, such as [\"src\"]."))
	}
	if !r.has("sync") && !r.has("restart") && !r.has("rebuild") && !r.misspelt() {
		r.report(fault(CodeMissing, r.at, "Nothing to do", "watch says what to look at and not what to do when it changes. Add sync = \"/app\", or restart or rebuild with patterns such as [\"**\"]."))
	}
	if len(w.Rebuild) > 0 && c.Build == nil {
		r.report(fault(CodeValue, r.rangeOf("rebuild"), "Nothing to build", "%s is an image that is not built here. Give the container a build block, or use restart.", quote(c.Image)))
	}
	if w.Sync != "" {
		r.checkSync(&w, c)
	}
	return w
}

// places gives where the elements of a list that is written out stand.
func (r *reader) places(name string) []hcl.Range {
	if !r.has(name) {
		return nil
	}
	return listPlaces(r.body.Attributes[name].Expr)
}

// patterns reads patterns of a .dockerignore.
func (r *reader) patterns(name string) []string {
	list := r.strings(name)
	places := r.places(name)
	for i, p := range list {
		not := strings.HasPrefix(p, "!")
		list[i] = strings.TrimPrefix(strings.TrimPrefix(p, "!"), "/")
		if list[i] = path.Clean(filepath.ToSlash(list[i])); not {
			list[i] = "!" + list[i]
		}
		if _, err := patternmatcher.New(list[i : i+1]); err != nil || p == "" || p == "!" {
			at := r.rangeOf(name)
			if len(places) == len(list) {
				at = places[i]
			}
			r.report(fault(CodeValue, at, "Not a pattern", "%s is not a pattern of a .dockerignore. Write one such as \"**/*.py\", \"tmp\" or \"!keep.txt\".", quote(p)))
		}
	}
	return list
}

// checkSync refuses a folder that nothing can be copied to, or that is the host's own.
func (r *reader) checkSync(w *Watch, c *Container) {
	at := r.rangeOf("sync")
	if !strings.HasPrefix(w.Sync, "/") {
		r.report(fault(CodeValue, at, "Not an absolute path", "The folder that is synced to is a path in the container that starts with \"/\"."))
		return
	}
	w.Sync = path.Clean(w.Sync)
	in := func(dir string) bool {
		dir = path.Clean("/" + dir)
		return w.Sync == dir || dir == "/" || strings.HasPrefix(w.Sync, dir+"/")
	}
	volume := false
	for _, v := range c.Volumes {
		switch {
		case !in(v.Target):
		case v.Source != "":
			r.report(fault(CodeValue, at, "Already the host's folder", "volume %q mounts %s there, so that a change is seen without a sync. Leave sync out, or the volume.", v.Name, v.Source))
			return
		case v.ReadOnly:
			r.report(fault(CodeValue, at, "Read-only", "volume %q, which holds %s, is mounted read-only. Leave its read_only out, or sync to another folder.", v.Name, w.Sync))
			return
		default:
			volume = true
		}
	}
	tmpfs := func(t string) bool { target, _, _ := strings.Cut(t, ":"); return in(target) }
	switch {
	case !volume && slices.ContainsFunc(c.Tmpfs, tmpfs):
		r.report(fault(CodeValue, at, "Kept in memory", "%s is in a tmpfs, which nothing can be copied into. Sync to another folder, or take it out of tmpfs.", w.Sync))
	case !volume && c.ReadOnly:
		r.report(fault(CodeValue, at, "Read-only", "The container's file system is read-only. Give it a volume for %s.", w.Sync))
	}
}
