package watch

import (
	"path"
	"slices"
	"strings"
)

// difference is what to bring over: what to put, in the order in which it can be, and what is gone.
type difference struct{ put, gone []string }

// diff compares what there is on the host with what was brought over. Of what touched tells it is not believed that it
// stayed the same.
func diff(want, have map[string]entry, touched func(e, was entry) bool) difference {
	var d difference
	for key, e := range want {
		was, there := have[key]
		if !there || !e.same(was) || touched(e, was) && !e.info.IsDir() {
			d.put = append(d.put, key)
		}
	}
	for key := range have {
		if _, there := want[key]; !there && !displaced(want, key) {
			d.gone = append(d.gone, key)
		}
	}
	slices.Sort(d.put)
	return d
}

// displaced reports whether something that is no folder takes the place of a folder above.
func displaced(want map[string]entry, key string) bool {
	for dir := path.Dir(key); dir != "/" && dir != "."; dir = path.Dir(dir) {
		if e, there := want[dir]; there && !e.info.IsDir() {
			return true
		}
	}
	return false
}

// outermost leaves out what is in a folder that is in the list.
func outermost(list []string) []string {
	slices.Sort(list)
	in := map[string]bool{}
	var out []string
	for _, p := range list {
		above := false
		for dir := path.Dir(p); len(dir) > 1; dir = path.Dir(dir) {
			above = above || in[dir]
		}
		if !above {
			in[p] = true
			out = append(out, p)
		}
	}
	return out
}

func trimSlash(p string) string { return strings.TrimSuffix(strings.TrimPrefix(p, "/"), "/") }
