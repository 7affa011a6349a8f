package composeimport

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// watch writes what Compose does when files change. Its patterns are from the path, ours from the spec's folder.
func (im *importer) watch(w *writer, s *service, builds bool, mounts []string) {
	if s.Develop == nil || s.kind == "job" {
		return
	}
	for _, t := range s.Develop.Watch {
		name := im.shorten(t.Path)
		if _, err := os.Stat(t.Path); err != nil || filepath.IsAbs(name) {
			w.left("develop.watch: " + name + " is not there, or not near the spec")
			continue
		}
		block := &writer{}
		block.attr("paths", "["+quote(name)+"]")
		if len(t.Ignore) > 0 {
			block.attr("ignore", patterns(name, t.Ignore))
		}
		all := []string{"**"}
		if len(t.Include) > 0 {
			all = t.Include
		}
		if is, err := os.Stat(t.Path); err == nil && !is.IsDir() {
			all = []string{"."} // the file itself
		}
		target := t.Target
		switch t.Action {
		case types.WatchActionSync, types.WatchActionSyncRestart:
			if is, err := os.Stat(t.Path); err == nil && !is.IsDir() {
				if path.Base(target) != path.Base(name) {
					w.left("develop.watch: " + name + " as " + target + " (a file keeps its name)")
					continue
				}
				target = path.Dir(target)
			}
			if slices.ContainsFunc(mounts, func(m string) bool { return target == m || strings.HasPrefix(target, m+"/") }) {
				w.left("develop.watch: " + name + " to " + target + " (a folder of the host is mounted there)")
				continue
			}
			block.attr("sync", quote(target))
			if t.Action == types.WatchActionSyncRestart {
				block.attr("restart", patterns(name, all))
			}
		case types.WatchActionRestart:
			block.attr("restart", patterns(name, all))
		case types.WatchActionRebuild:
			if !builds {
				w.left("develop.watch: rebuild of " + name + " (nothing is built here)")
				continue
			}
			block.attr("rebuild", patterns(name, all))
		default:
			w.left("develop.watch: " + string(t.Action) + " of " + name + " (there is sync, restart and rebuild)")
			continue
		}
		if len(t.Include) > 0 && target != "" {
			w.left("develop.watch.include: " + strings.Join(t.Include, ", ") + " (all of the path is synced)")
		}
		w.line("watch {")
		w.raw(block.String())
		w.line("}")
	}
	s.Develop.Watch = nil
	if isEmpty(s.Develop) {
		s.Develop = nil
	}
}

// patterns writes patterns from the spec's folder.
func patterns(name string, list []string) string {
	out := make([]string, len(list))
	for i, p := range list {
		p, not := strings.CutPrefix(p, "!")
		out[i] = strings.TrimPrefix(path.Join(strings.TrimPrefix(name, "./"), p), "./")
		if not {
			out[i] = "!" + out[i]
		}
		out[i] = quote(out[i])
	}
	return "[" + strings.Join(out, ", ") + "]"
}
