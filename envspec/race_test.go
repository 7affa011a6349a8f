package envspec

import (
	"reflect"
	"sync"
	"testing"

	"github.com/envctl/envctl/internal/addr"
)

// TestConcurrentEvaluate: one Spec, many evaluations at once, all the same. Its worth is under -race.
func TestConcurrentEvaluate(t *testing.T) {
	s := loadDir(t, write(t, nested))
	want := evaluate(t, s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, diags := s.Evaluate(fixedFor(s), planted{})
			if diags.HasErrors() || !reflect.DeepEqual(want, got) {
				t.Errorf("another environment: %v", diags)
			}
			if _, diags := s.Eval(`template.practice.url`, addr.Host, fixedFor(s), planted{}); diags.HasErrors() {
				t.Error(diags)
			}
			_ = s.Sources()
		})
	}
	wg.Wait()
}
