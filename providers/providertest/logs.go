package providertest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/providers"
)

// spoke gives a resource all of whose lines are in its log by now.
func (r *trial) spoke() (providers.Logger, providers.Observed) {
	r.Helper()
	l, ok := r.Provider.(providers.Logger)
	if !ok {
		r.Skip("the provider is no Logger")
	}
	o := r.up(r.Plain("a", 1))
	ctx, cancel := context.WithTimeout(r.Context(), r.soon)
	defer cancel()
	var both heard
	both.all = append(Lines(), LogSays)
	both.then = cancel
	if err := l.Logs(ctx, o, providers.LogOptions{Follow: true}, both.to(0), both.to(1)); !both.complete {
		r.Fatalf("the log has %q, %v", both.text, err)
	}
	return l, o
}

// heard is a log that is being followed.
type heard struct {
	mu       sync.Mutex
	text     [2]string
	all      []string
	then     func() // called when it has all
	complete bool
}

func (h *heard) to(stream int) writer {
	return func(b []byte) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.text[stream] += string(b)
		if !h.complete && !slices.ContainsFunc(h.all, func(line string) bool { return !strings.Contains(h.text[0]+h.text[1], line+"\n") }) {
			h.complete = true
			h.then()
		}
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

func logsAreSaid(r *trial) {
	l, o := r.spoke()
	read := func(opts providers.LogOptions) (out, errs []string) {
		r.Helper()
		var stdout, stderr bytes.Buffer
		r.must(l.Logs(r.Context(), o, opts, &stdout, &stderr))
		lines := func(b *bytes.Buffer) []string {
			return slices.Collect(strings.Lines(strings.ReplaceAll(b.String(), "\r\n", "\n")))
		}
		return lines(&stdout), lines(&stderr)
	}
	want := Lines()
	for i := range want {
		want[i] += "\n"
	}
	out, errs := read(providers.LogOptions{})
	if !slices.Equal(out, want) || !slices.Equal(errs, []string{LogSays + "\n"}) {
		r.Errorf("stdout is %q, stderr %q", out, errs)
	}
	const tail = 2
	out, errs = read(providers.LogOptions{Tail: tail})
	if len(out)+len(errs) != tail || !strings.HasSuffix(strings.Join(want, ""), strings.Join(out, "")) {
		r.Errorf("of the last %d lines %q are of stdout and %q of stderr", tail, out, errs)
	}
	if out, errs = read(providers.LogOptions{Since: time.Now().Add(time.Hour)}); len(out)+len(errs) != 0 {
		r.Errorf("in an hour it said %q and %q", out, errs)
	}
	out, errs = read(providers.LogOptions{Timestamps: true})
	for _, line := range slices.Concat(out, errs) {
		stamp, text, _ := strings.Cut(line, " ")
		if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil || !slices.Contains(append(want, LogSays+"\n"), text) {
			r.Errorf("a line with its time is %q", line)
		}
	}
	if len(out)+len(errs) != len(want)+1 {
		r.Errorf("with times, stdout is %q, stderr %q", out, errs)
	}
}

func logsFollowContext(r *trial) {
	l, o := r.spoke()
	_, cut := r.ending("Logs", midway, func(ctx context.Context) error {
		return l.Logs(ctx, o, providers.LogOptions{Follow: true}, writer(func([]byte) {}), writer(func([]byte) {}))
	})
	if !cut {
		r.Error("it ended while the resource went on")
	}
}

func logsFollowResource(r *trial) {
	l, o := r.spoke()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	begun, ended := make(chan struct{}), make(chan error, 1)
	both := heard{all: Lines(), then: func() { close(begun) }}
	go func() {
		ended <- l.Logs(ctx, o, providers.LogOptions{Follow: true}, both.to(0), both.to(1))
	}()
	select {
	case <-begun:
	case err := <-ended:
		r.Fatalf("it ended while the resource went on: %v", err)
	}
	r.must(r.remove(r.Context(), r.Instance, o.Addr, &o))
	if err := <-ended; err != nil {
		r.Errorf("the resource went, and the log's reader is told: %v", err)
	}
}
