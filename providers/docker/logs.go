package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/envctl/envctl/providers"
)

// Logs writes what a container printed, to the writer of the stream that it printed to. With Follow it
// returns when the container ends or ctx does.
func (p *Provider) Logs(ctx context.Context, o providers.Observed, opts providers.LogOptions, stdout, stderr io.Writer) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	lo := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: opts.Follow, Timestamps: opts.Timestamps}
	if opts.Tail > 0 {
		lo.Tail = strconv.Itoa(opts.Tail)
	}
	if !opts.Since.IsZero() {
		lo.Since = opts.Since.Format(time.RFC3339Nano)
	}
	if err := p.logs(ctx, o.Handle, lo, stdout, stderr); err != nil {
		return p.explain(fmt.Errorf("the log of %s: %w", o.Addr, err))
	}
	return nil
}

// logs copies a log. Containers are made without a terminal, so their two streams come framed.
func (p *Provider) logs(ctx context.Context, id string, opts container.LogsOptions, stdout, stderr io.Writer) error {
	body, err := p.api.ContainerLogs(ctx, id, opts)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = stdcopy.StdCopy(stdout, stderr, body)
	return err
}

// lastLog gives the last lines that a container printed, or what kept us from reading them. It may be
// asked after ctx ended.
func (p *Provider) lastLog(ctx context.Context, id string) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTime)
	defer cancel()
	var b bytes.Buffer
	err := p.logs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lastLines)}, &b, &b)
	if err != nil {
		return []string{"(they cannot be read: " + err.Error() + ")"}
	}
	text := strings.TrimRight(b.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// lineWriter hands on whole lines of what is written to it.
type lineWriter struct {
	line func(string) error
	rest []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := strings.TrimRight(string(w.rest[:i]), "\r")
		w.rest = w.rest[i+1:]
		if err := w.line(line); err != nil {
			return 0, err
		}
	}
}

// flush hands on the line that has no end.
func (w *lineWriter) flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	return w.line(string(w.rest))
}

// limitedBuffer keeps the last 4 KiB of what is written to it, by several writers at once.
type limitedBuffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *limitedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, data...)
	if over := len(b.data) - 4096; over > 0 {
		b.data = b.data[over:]
	}
	return len(data), nil
}

func (b *limitedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(string(b.data))
}

// after gives the text as the end of a sentence.
func (b *limitedBuffer) after() string {
	if s := b.String(); s != "" {
		return ": " + s
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
