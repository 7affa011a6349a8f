package providertest

import (
	"strings"
	"time"

	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// patience is for how long a check may fail where the suite waits for it to be given up.
const patience = time.Second

func waitNeverReady(r *trial) {
	n := r.NeverReady("a", patience)
	r.must(r.put(r.Instance, n))
	r.tells(r.waitReady(r.Context(), r.change(r.Instance, n)), CheckSays, secret.Mask)
}

func waitDies(r *trial) {
	r.need("node that dies", r.Dies != nil)
	n := r.Dies("a")
	c := r.change(r.Instance, n)
	r.must(r.prepare(r.Context(), c))
	r.must(r.apply(r.Context(), c))
	began := time.Now()
	r.tells(r.waitReady(r.Context(), c), secret.Mask)
	if took := time.Since(began); took > r.soon {
		r.Errorf("that it ended was noticed after %s", took)
	}
	if o := r.seen(n); o.State == providers.Ready || o.State == providers.Starting || o.Detail == "" {
		r.Errorf("observed as %s (%s)", o.State, o.Detail)
	}
}

// tells fails the test where an error of WaitReady leaves out some of what it is to hold.
func (r *trial) tells(err error, words ...string) {
	r.Helper()
	if err == nil {
		r.Fatal("what is never ready was")
	}
	if _, ok := r.Provider.(providers.Logger); ok {
		words = append(append(words, Lines()...), LogSays)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			r.Errorf("%q is not in the error: %v", w, err)
		}
	}
}
