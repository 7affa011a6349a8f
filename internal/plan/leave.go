package plan

import (
	"slices"

	"github.com/envctl/envctl/internal/addr"
)

// Leave takes operations out of the plan: what they are on stays as it is, and nothing waits for it.
func (p *Plan) Leave(stays func(addr.Addr) bool) {
	p.Operations = slices.DeleteFunc(p.Operations, func(op Operation) bool { return stays(op.Addr) })
	for i, op := range p.Operations {
		p.Operations[i].After = slices.DeleteFunc(slices.Clone(op.After), stays)
	}
}
