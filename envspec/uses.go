package envspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/addr"
)

// use is one reference in a body, and where it stands.
type use struct {
	root string // "container", "var", "local", …
	name string
	at   hcl.Range
	// whole says that the object behind the name is needed; else parts have all that is.
	whole bool
}

// uses is what an expression or a body refers to, each name once: just enough of the world is
// built for it when it is evaluated.
type uses struct {
	list  []use
	parts []part
	seen  map[[2]string]int // where in list; made once that is long
	known map[string]bool   // the variables of parts; made once those are many
}

// few is how many references are searched one by one, as nearly every body has.
const few = 12

func newUses() *uses { return &uses{} }

func (u *uses) add(root, name string, at hcl.Range, whole bool) {
	i := u.find(root, name)
	if i < 0 {
		i = len(u.list)
		u.list = append(u.list, use{root: root, name: name, at: at})
		if u.seen != nil {
			u.seen[[2]string{root, name}] = i
		}
	}
	u.list[i].whole = u.list[i].whole || whole
}

func (u *uses) find(root, name string) int {
	if len(u.list) <= few {
		return slices.IndexFunc(u.list, func(x use) bool { return x.name == name && x.root == root })
	}
	if u.seen == nil {
		u.seen = map[[2]string]int{}
		for i, x := range u.list {
			u.seen[[2]string{x.root, x.name}] = i
		}
	}
	if i, ok := u.seen[[2]string{root, name}]; ok {
		return i
	}
	return -1
}

func (u *uses) addPart(p part) {
	if len(u.parts) <= few {
		if slices.ContainsFunc(u.parts, func(x part) bool { return x.variable == p.variable }) {
			return
		}
	} else if u.known == nil {
		u.known = map[string]bool{}
		for _, x := range u.parts {
			u.known[x.variable] = true
		}
	}
	if u.known[p.variable] {
		return
	}
	if u.known != nil {
		u.known[p.variable] = true
	}
	u.parts = append(u.parts, p)
}

// isResource reports whether a reference's first word is a kind of resource.
func isResource(root string) bool {
	return root == string(addr.Container) || root == string(addr.Job) || root == string(addr.Windows)
}
