package topology

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/providers"
)

// What this computer is to reach goes by the names of the environment's network: a machine's is its gateway's.
func TestForwardsLeadToWhatIsPublished(t *testing.T) {
	node := func(kind addr.Kind, name, mode string, ports ...envspec.Port) providers.Node {
		a := addr.Addr{Kind: kind, Name: name}
		return providers.Node{Addr: a, Body: &envspec.Container{Addr: a, NetworkMode: mode, Ports: ports}}
	}
	got := Forwards([]providers.Node{
		{Addr: NetworkAddr, Body: &providers.Network{}},
		node(addr.Container, "web", "", envspec.Port{Guest: 80, Host: 20080, Protocol: "tcp"}, envspec.Port{Guest: 53, Host: 20053, Protocol: "udp"}, envspec.Port{Guest: 81}),
		node(addr.Container, "host", "host", envspec.Port{Guest: 82, Host: 82, Protocol: "tcp"}),
		node(addr.Gateway, "pas", "", envspec.Port{Guest: 8080, Host: 20001, Protocol: "tcp"}),
		node(addr.Sandbox, "pas", "", envspec.Port{Guest: 5986, Host: 20090, Protocol: "tcp"}),
		{Addr: addr.Addr{Kind: addr.Windows, Name: "pas"}, Body: &envspec.Machine{}},
	})
	want := []forward.Port{{Listen: 20001, To: "pas:8080"}, {Listen: 20080, To: "web:80"}, {Listen: 20090, To: "pas-sandbox:5986"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
