package heard_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envctl/envctl/internal/heard"
)

func TestSilentEndIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 20 * time.Second
		here, there := net.Pipe()
		c := heard.On(there)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, c) }) // until the pipe ends
		var ended atomic.Bool
		wg.Go(func() { c.Watch(t.Context(), limit, func() { ended.Store(true) }) })
		for range 60 {
			time.Sleep(limit / 20)
			if _, err := here.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(limit - 1)
		synctest.Wait()
		if ended.Load() {
			t.Error("an end that talks was left")
		}
		time.Sleep(limit / 4)
		synctest.Wait()
		if !ended.Load() {
			t.Error("a silent end was not left")
		}
		here.Close()
		wg.Wait()
	})
}
