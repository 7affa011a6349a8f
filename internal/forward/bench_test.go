package forward

import (
	"io"
	"net"
	"testing"
	"time"
)

// BenchmarkThroughput sends through a forward and, in turns with it, over TCP alone, and gives the ratio.
func BenchmarkThroughput(b *testing.B) {
	to := serve(b, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	r := run(b, newEngine(b), to)
	const size = 64 << 20
	send := func(address string) time.Duration {
		c := dial(b, address)
		began := time.Now()
		for block, sent := make([]byte, 64<<10), 0; sent < size; sent += len(block) {
			if _, err := c.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		if err := c.CloseWrite(); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil { // until the other end has it all
			b.Fatal(err)
		}
		return time.Since(began)
	}
	compare(b, "MB/s", func(d time.Duration) float64 { return size / 1e6 / d.Seconds() }, func() time.Duration { return send(r.address) }, func() time.Duration { return send(to) })
}

// BenchmarkLatency sends a byte there and back.
func BenchmarkLatency(b *testing.B) {
	to := serve(b, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	r := run(b, newEngine(b), to)
	const rounds = 500
	pingPong := func(c net.Conn) func() time.Duration {
		return func() time.Duration {
			began, one := time.Now(), []byte{1}
			for range rounds {
				if _, err := c.Write(one); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, one); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(began)
		}
	}
	compare(b, "µs", func(d time.Duration) float64 { return float64(d.Microseconds()) / rounds }, pingPong(dial(b, r.address)), pingPong(dial(b, to)))
}

// BenchmarkConnect opens a connection, asks and is answered.
func BenchmarkConnect(b *testing.B) {
	to := serve(b, answering)
	r := run(b, newEngine(b), to)
	const rounds = 100
	ask := func(address string) func() time.Duration {
		return func() time.Duration {
			began := time.Now()
			for range rounds {
				c := dial(b, address)
				if _, err := exchange(c, "x"); err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
			return time.Since(began)
		}
	}
	compare(b, "µs", func(d time.Duration) float64 { return float64(d.Microseconds()) / rounds }, ask(r.address), ask(to))
}

// compare runs both in turns and reports each, and the time of the first as a multiple of the second's.
func compare(b *testing.B, unit string, figure func(time.Duration) float64, forward, direct func() time.Duration) {
	forward()
	direct()
	var f, d time.Duration
	n := 0
	for b.Loop() {
		f, d, n = f+forward(), d+direct(), n+1
	}
	b.ReportMetric(figure(f/time.Duration(n)), "forward-"+unit)
	b.ReportMetric(figure(d/time.Duration(n)), "direct-"+unit)
	b.ReportMetric(f.Seconds()/d.Seconds(), "x-direct")
	b.ReportMetric(0, "ns/op")
}
