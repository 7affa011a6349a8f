package winrm

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// BenchmarkThroughput is one way through a command's pipes, against the sandbox's server in this
// process: both ends share the processor.
func BenchmarkThroughput(b *testing.B) {
	for _, name := range []string{"NTLM over HTTPS", "NTLM sealed"} {
		for _, latency := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/%s/up", name, latency), func(b *testing.B) { benchUp(b, ways[name].https, latency) })
			b.Run(fmt.Sprintf("%s/%s/down", name, latency), func(b *testing.B) { benchDown(b, ways[name].https, latency) })
		}
	}
}

const benchBytes = 8 << 20

func benchUp(b *testing.B, https bool, latency time.Duration) {
	s := newStand(b, https, nil)
	s.Shape.SetLatency(latency)
	block := make([]byte, 32<<10)
	b.SetBytes(benchBytes)
	for b.Loop() {
		shell, cmd := s.command(b, "sink")
		for range benchBytes / len(block) {
			if _, err := cmd.Stdin().Write(block); err != nil {
				b.Fatal(err)
			}
		}
		if err := cmd.Stdin().Close(); err != nil {
			b.Fatal(err)
		}
		_ = shell.Close(b.Context())
	}
}

func benchDown(b *testing.B, https bool, latency time.Duration) {
	s := newStand(b, https, nil)
	s.Shape.SetLatency(latency)
	b.SetBytes(benchBytes)
	for b.Loop() {
		shell, cmd := s.command(b, "source")
		if _, err := io.CopyN(io.Discard, cmd.Stdout(), benchBytes); err != nil {
			b.Fatal(err)
		}
		_ = shell.Close(b.Context())
	}
}
