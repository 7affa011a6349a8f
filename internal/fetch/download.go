package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	attempts     = 6
	firstPause   = time.Second // then twice as long each time
	longestPause = 30 * time.Second
	idleLimit    = time.Minute
	reportEvery  = 200 * time.Millisecond
)

// download brings one URL into a file.
type download struct {
	*Cache
	url      string
	file     *os.File
	progress Progress
	// sure says that the content's sum is known, so that pieces can be joined without a word of the server's that they
	// are of one file.
	sure   bool
	etag   string // of what is in file, where the server gave a strong one
	joined bool   // file has pieces of more than one answer
}

// final is an error that another attempt would not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// busy is an answer of a server that asks to be left alone for a while.
type busy struct {
	error
	after time.Duration
}

// run tries until the file is whole, a few times, and waits longer each time.
func (d *download) run(ctx context.Context) error {
	wait := firstPause
	for n := 1; ; n++ {
		err := d.try(ctx)
		var no final
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("fetch %s: %w", Shown(d.url), context.Cause(ctx))
		case errors.As(err, &no):
			return fmt.Errorf("fetch %s: %w", Shown(d.url), no.error)
		case n == attempts:
			return fmt.Errorf("fetch %s: %w (tried %d times; run again to go on)", Shown(d.url), err, n)
		}
		var b busy
		if errors.As(err, &b) {
			wait = max(wait, b.after)
		}
		wait = min(wait, longestPause)
		if err := d.pause(ctx, wait); err != nil {
			return fmt.Errorf("fetch %s: %w", Shown(d.url), err)
		}
		wait *= 2
	}
}

// try asks once for what is missing.
func (d *download) try(ctx context.Context) error {
	have, err := d.file.Seek(0, io.SeekEnd)
	if err != nil {
		return final{err}
	}
	if !d.sure && d.etag == "" {
		have = 0
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(d.idle, func() { cancel(fmt.Errorf("the server said nothing for %s", d.idle)) })
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return final{errors.New("this is not a URL")}
	}
	req.Header.Set("User-Agent", "envctl")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if d.etag != "" {
			req.Header.Set("If-Range", d.etag)
		}
	}
	resp, err := d.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return d.explain(err)
	}
	defer resp.Body.Close()
	have, total, done, err := d.answer(resp, have)
	if done || err != nil {
		return err
	}
	if err := d.begin(have, resp); err != nil {
		return final{err}
	}
	body := &reader{Reader: resp.Body, alive: func() { watch.Reset(d.idle) }, n: have, total: total, progress: d.progress}
	_, err = io.Copy(writer{d.file}, body)
	var disk final
	switch {
	case err == nil:
		body.tell()
		return nil
	case errors.As(err, &disk):
		return err
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("the connection ended after %d bytes: %w", body.n, err)
}

// answer reads what an answer's head says: from which byte on it has the file, and how long the whole is.
func (d *download) answer(resp *http.Response, have int64) (from, total int64, done bool, err error) {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return 0, max(resp.ContentLength, 0), false, nil
	case code == http.StatusPartialContent && have > 0:
		if start, total, ok := contentRange(resp); ok && start == have {
			return have, total, false, nil
		}
		return 0, 0, false, errors.Join(errors.New("the server gave another part than was asked for"), d.file.Truncate(0))
	case code == http.StatusRequestedRangeNotSatisfiable && have > 0:
		if resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", have) {
			d.joined = true
			return 0, 0, true, nil // all of it is there
		}
		return 0, 0, false, errors.Join(errors.New("the file has become shorter"), d.file.Truncate(0))
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return 0, 0, false, busy{fmt.Errorf("the server answered %s", resp.Status), time.Duration(seconds) * time.Second}
	default:
		return 0, 0, false, final{refusal(resp)}
	}
}

// begin makes the file ready for what comes.
func (d *download) begin(have int64, resp *http.Response) error {
	if have > 0 {
		d.joined = true
	} else if err := d.file.Truncate(0); err != nil {
		return err
	}
	if tag := resp.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		d.etag = tag
	} else {
		d.etag = ""
	}
	_, err := d.file.Seek(have, io.SeekStart)
	return err
}

// contentRange reads "bytes 7-41/42".
func contentRange(resp *http.Response) (start, total int64, ok bool) {
	text, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes ")
	span, whole, _ := strings.Cut(text, "/")
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	total, _ = strconv.ParseInt(whole, 10, 64) // "*" is not known
	return start, total, ok && err == nil
}

// reader tells that something came, and now and then how much.
type reader struct {
	io.Reader
	alive    func()
	n, total int64
	last     time.Time
	progress Progress
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += int64(n)
	r.alive()
	if now := time.Now(); now.Sub(r.last) >= reportEvery {
		r.last = now
		r.tell()
	}
	return n, err
}

func (r *reader) tell() {
	if r.progress != nil {
		r.progress(r.n, r.total)
	}
}

// writer makes an error of the disk final: the server is not to blame.
type writer struct{ io.Writer }

func (w writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = final{err}
	}
	return n, err
}
