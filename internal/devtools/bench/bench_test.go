package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		walls []time.Duration
		want  float64
	}{
		{nil, 0},
		{[]time.Duration{3 * time.Second}, 3},
		{[]time.Duration{9 * time.Second, time.Second, 2 * time.Second}, 2},
		{[]time.Duration{9 * time.Second, time.Second, 2 * time.Second, 4 * time.Second}, 3},
	} {
		var s series
		for _, w := range c.walls {
			s = append(s, sample{wall: w})
		}
		if got := s.median(wall); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.walls, got, c.want)
		}
	}
}

func TestSidesTakeTurns(t *testing.T) {
	var order []string
	side := func(name string) func() (sample, error) {
		return func() (sample, error) { order = append(order, name); return sample{}, nil }
	}
	m, err := turns(3, sides{side("ours"), side("theirs")})
	if err != nil || len(m[ours]) != 3 || len(m[theirs]) != 3 || len(m[engines]) != 0 {
		t.Fatalf("%d, %d and %d runs, %v", len(m[ours]), len(m[theirs]), len(m[engines]), err)
	}
	if want := []string{"ours", "theirs", "theirs", "ours", "ours", "theirs"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	failed := errors.New("failed")
	if _, err := turns(3, sides{func() (sample, error) { return sample{}, failed }}); !errors.Is(err, failed) {
		t.Errorf("got %v, want the run's own error", err)
	}
}

func TestWhatIsMeasuredIsValid(t *testing.T) {
	b := &bench{dir: t.TempDir(), image: "debian:trixie-slim"}
	for name, write := range map[string]func(io.Writer, string){
		"sleepers": b.sleepers("bench-sleepers", 9), "references": b.references("bench-references", 9),
		"tiers": b.tiers("bench-tiers", 9),
	} {
		dir, err := b.specs(name, write)
		if err != nil {
			t.Fatal(err)
		}
		s, diags := envspec.Load(envspec.LoadOptions{Dir: dir})
		if len(diags) > 0 {
			t.Errorf("%s: %v", name, diags)
		} else if got := fmt.Sprint(len(s.Resources())); got != "9" {
			t.Errorf("%s: %s resources, want 9", name, got)
		}
	}
}
