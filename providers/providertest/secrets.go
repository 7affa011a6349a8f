package providertest

import (
	"fmt"
	"strings"

	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// secretsStayHidden has nodes say their secret in every way they know. The other subtests look for it too, in all that
// the provider says.
func secretsStayHidden(r *trial) {
	said := 0
	try := func(n providers.Node) {
		err := r.put(r.Instance, n)
		if err == nil {
			err = r.waitReady(r.Context(), r.change(r.Instance, n))
		}
		if err != nil && strings.Contains(err.Error(), secret.Mask) {
			said++
		}
		if r.left(r.Instance) == "" && err == nil {
			r.Errorf("%s is there, and Left lists nothing", n.Addr)
		}
		r.all()
	}
	try(r.Plain("plain", 1))
	try(r.Plain("plain", 2))
	try(r.NeverReady("never", patience))
	try(r.Broken("broken"))
	if r.Dies != nil {
		try(r.Dies("dies"))
	}
	if said == 0 {
		r.Errorf("no error has a secret that was hidden, %q in its place: the nodes do not say theirs", secret.Mask)
	}
	r.hide("the provider", fmt.Sprintf("%v %+v", r.Provider, r.Provider))
	if r.Wrote != nil {
		r.hide("the provider's log", r.Wrote())
	}
}
