package heard_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/envctl/envctl/internal/heard"
)

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := heard.New()
		for _, d := range []time.Duration{0, 5 * time.Millisecond, time.Hour + 5*time.Millisecond} {
			time.Sleep(d)
			if is := m.Silence(); is != d {
				t.Errorf("after %s the silence is %s", d, is)
			}
			m.Touch()
			if is := m.Silence(); is != 0 {
				t.Errorf("after a word the silence is %s", is)
			}
		}
	})
}
