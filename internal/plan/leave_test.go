package plan

import (
	"slices"
	"testing"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

func TestLeave(t *testing.T) {
	old, gone, new := addr.Addr{Kind: addr.Container, Name: "old"}, addr.Addr{Kind: addr.Container, Name: "gone"}, addr.Addr{Kind: addr.Container, Name: "new"}
	p, err := Make([]providers.Node{{Addr: new}}, []providers.Observed{{Addr: old}, {Addr: gone}})
	if err != nil {
		t.Fatal(err)
	}
	p.Leave(func(a addr.Addr) bool { return a == old })
	if got, want := p.String(), "delete container.gone: no longer in the spec\ncreate container.new: not there yet\n"; got != want {
		t.Errorf("plan:\n%swant:\n%s", got, want)
	}
	if after := p.Operations[1].After; !slices.Equal(after, []addr.Addr{gone}) {
		t.Errorf("what is made waits for %v", after)
	}
}
