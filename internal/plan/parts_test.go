package plan

import (
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

func TestAChangedLayerShowsOldAndNew(t *testing.T) {
	pas := addr.Addr{Kind: addr.Windows, Name: "pas"}
	want := guestproto.Layer{Kind: "registry", Name: "k", Hash: "2", Parts: map[string]string{"values.DbPort": "5433", "same": "1"}}
	was := guestproto.ManifestLayer{Kind: "registry", Name: "k", Hash: "1", Complete: true}
	for _, test := range []struct {
		parts map[string]string
		want  string
	}{
		{map[string]string{"values.DbPort": "5432", "same": "1"}, "  apply registry.k: changed\n    values.DbPort: \"5432\" -> \"5433\"\n"},
		{nil, "  apply registry.k: changed\n"}, // an earlier envctl's
	} {
		was.Parts = test.parts
		p, err := Make([]providers.Node{{Addr: pas, Layers: []guestproto.Layer{want}}},
			[]providers.Observed{{Addr: pas, State: providers.Ready, Manifest: &guestproto.Manifest{Layers: []guestproto.ManifestLayer{was}}}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(p.String(), test.want) {
			t.Errorf("plan\n%s", p)
		}
	}
}
