package envspec

import (
	"maps"
	"slices"

	"github.com/envctl/envctl/internal/addr"
)

// resourceKinds are the kinds of resource that a spec declares.
var resourceKinds = []addr.Kind{addr.Container, addr.Job, addr.Windows}

// jobBlock is a container's, without what only makes sense for something that stays.
func jobBlock() *block {
	b := containerBlock()
	b.Name, b.Doc = "job", "A Linux container that runs to its end, such as a migration or a seed. It is ready when it has ended with 0, and then done: it runs again when "+
		"something in its block changes, or when it failed. Others wait for it with `depends_on = [job.NAME]`."
	b.Attrs = slices.DeleteFunc(b.Attrs, func(a attribute) bool { return a.Name == "restart" })
	b.Attrs = append(b.Attrs, attribute{Name: "timeout", Type: durationValue, Doc: "How long it may run before it is stopped and has failed; without end where left out."})
	b.Blocks = slices.DeleteFunc(b.Blocks, func(c *block) bool { return c.Name == "port" || c.Name == "ready" || c.Name == "watch" })
	b.Absent["ready"] = "A job is ready when it has ended with 0: leave the block out."
	b.Absent["restart"] = "A job that failed runs again with the next up: leave it out."
	b.Absent["port"] = "A job runs to its end, and nothing connects to it. What others connect to is a container block."
	b.Absent["watch"] = "A job runs again when something in its block changes, its image too: leave the block out."
	maps.DeleteFunc(b.Foreign, func(_, here string) bool { return b.attr(here) == nil && b.block(here) == nil })
	return b
}
