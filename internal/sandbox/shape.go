package sandbox

import (
	"context"
	"sync/atomic"
	"time"
)

// Shape slows a server down, so that a client can be tried as over a real network. Both may be
// set at any time; the zero Shape adds nothing.
type Shape struct {
	latency   atomic.Int64
	bandwidth atomic.Int64
}

// SetLatency adds d to every request.
func (s *Shape) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// SetBandwidth bounds a connection to so many bytes a second; 0 is unbounded.
func (s *Shape) SetBandwidth(bytesPerSecond int64) { s.bandwidth.Store(bytesPerSecond) }

// hold waits for as long as n bytes take, and the latency where it is asked for.
func (s *Shape) hold(ctx context.Context, n int, latency bool) {
	var d time.Duration
	if latency {
		d = time.Duration(s.latency.Load())
	}
	if bw := s.bandwidth.Load(); bw > 0 {
		d += time.Duration(float64(n) / float64(bw) * float64(time.Second))
	}
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
