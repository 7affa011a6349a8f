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
}

// uses is what an expression or a body refers to, each name once: just enough of the world is
// built for it when it is evaluated.
type uses struct {
	list []use
	seen map[[2]string]bool
}

func newUses() *uses { return &uses{seen: map[[2]string]bool{}} }

func (u *uses) add(root, name string, at hcl.Range) {
	k := [2]string{root, name}
	if u.seen[k] {
		return
	}
	u.seen[k] = true
	u.list = append(u.list, use{root, name, at})
}

func (u *uses) has(root string) bool {
	return slices.ContainsFunc(u.list, func(x use) bool { return x.root == root })
}

// isResource reports whether a reference's first word is a kind of resource.
func isResource(root string) bool {
	return root == string(addr.Container) || root == string(addr.Job) || root == string(addr.Windows)
}
