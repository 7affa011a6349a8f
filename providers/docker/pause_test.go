package docker

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

// TestPauses goes through the tries of a check that takes no time itself.
func TestPauses(t *testing.T) {
	for _, test := range []struct{ ready, interval, seen time.Duration }{
		{1 * time.Millisecond, 0, 10 * time.Millisecond},
		{80 * time.Millisecond, 0, 100 * time.Millisecond},
		{400 * time.Millisecond, 0, 480 * time.Millisecond},
		{5 * time.Second, 0, 6 * time.Second},
		{time.Minute, 0, 62 * time.Second},
		{5 * time.Second, 100 * time.Millisecond, 5100 * time.Millisecond},
		{5 * time.Second, 10 * time.Minute, 6 * time.Second},
	} {
		at, tries := time.Duration(0), 1
		for at < test.ready {
			at += nextPause(at, test.interval)
			tries++
		}
		if at > test.seen || test.interval == 0 && tries > 75 {
			t.Errorf("ready after %s, seen after %s, want %s, in %d tries", test.ready, at, test.seen, tries)
		}
	}
}

// TestReadyIsSeenAtOnce compares when a service says that it began to listen with when that was seen. A
// loaded computer gets three chances.
func TestReadyIsSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	best := time.Hour
	for i := range 3 {
		c := shell("app"+strconv.Itoa(i), `exec perl -MIO::Socket::INET -e '
			$| = 1; select(undef, undef, undef, 0.08);
			$s = IO::Socket::INET->new(LocalPort => 8080, Listen => 5) or die;
			print "listening\n"; sleep 600'`)
		c.Ports = []envspec.Port{{Name: "web", Guest: 8080}}
		c.Ready = &envspec.Ready{TCP: &envspec.TCPCheck{Port: "web"}}
		change := w.change(providers.Create, node(c, "1"))
		w.must(w.p.Apply(w.ctx, change, w.sink))
		w.must(w.p.WaitReady(w.ctx, change, w.sink))
		seen := time.Now()
		var log strings.Builder
		w.must(w.p.Logs(w.ctx, w.observed(c.Addr), providers.LogOptions{Timestamps: true}, &log, &log))
		stamp, _, _ := strings.Cut(log.String(), " ")
		listening, err := time.Parse(time.RFC3339Nano, stamp)
		w.must(err)
		best = min(best, seen.Sub(listening))
	}
	t.Logf("seen %s after it listened", best)
	if best > 60*time.Millisecond {
		t.Errorf("seen %s after it listened", best)
	}
}
