// Package fetch brings files from the web into a cache on this computer: each under the sha256 of its content, whole
// or not at all. It shows no URL's query, which may hold a token. What the files are for is its callers' business.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/envctl/envctl/internal/lock"
)

// Options is what a Cache works with.
type Options struct {
	// Dir is where the files lie. It is made when something is fetched.
	Dir string
	// Transport is the way to the servers: whom to trust, and through which proxy.
	Transport *http.Transport
	// Remedy says what to do where nobody knows who signed a server's certificate.
	Remedy string
}

// Cache is a folder of files that were fetched. It may be used by many goroutines and processes at once.
type Cache struct {
	dir    string
	client *http.Client
	idle   time.Duration                                    // that a server may say nothing for
	pause  func(ctx context.Context, d time.Duration) error // between attempts
	remedy string

	mu   sync.Mutex
	good map[string]bool // what this run saw to have its digest
}

// New gives the cache in a folder.
func New(o Options) *Cache {
	return &Cache{dir: o.Dir, client: newClient(o.Transport), idle: idleLimit, pause: pause, remedy: o.Remedy, good: map[string]bool{}}
}

// Progress is told how many bytes of a file are there; total is 0 where the server does not say.
type Progress = func(current, total int64)

// MismatchError says that a URL gave another content than was wanted.
type MismatchError struct {
	URL       string // without its query
	Want, Got string // sha256, lower-case hex
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s is another file than expected:\n  expected  sha256 %s\n  there     sha256 %s\nIf it is the file you mean, write its sum into the spec's sha256, or take it with: envctl lock --upgrade %s",
		e.URL, e.Want, e.Got, e.URL)
}

// File gives the path of the file with a sha256 (lower-case hex), fetched from url unless it is there already. What an
// earlier run left half-done is continued where the server can do that.
func (c *Cache) File(ctx context.Context, url, sum string, progress Progress) (string, error) {
	final := c.path(sum)
	held, err := lock.Acquire(ctx, final+".lock", "", nil) // one download of a file at a time
	if err != nil {
		return "", err
	}
	defer held.Release()
	if c.has(sum) {
		return final, nil
	}
	if err := c.fetch(ctx, url, sum, progress); err != nil {
		return "", err
	}
	c.remember(sum)
	return final, nil
}

// Sum fetches what url gives now, keeps it, and gives its sha256.
func (c *Cache) Sum(ctx context.Context, url string, progress Progress) (sum string, err error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	file, err := os.CreateTemp(c.dir, "new-*.part")
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", Shown(url), err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	d := download{Cache: c, url: url, file: file, progress: progress}
	if err := d.run(ctx); err != nil {
		return "", err
	}
	if sum, err = sumOf(file); err != nil {
		return "", err
	}
	if err := keep(file, c.path(sum)); err != nil {
		return "", err
	}
	c.remember(sum)
	return sum, nil
}

// fetch downloads a file whose sum is known.
func (c *Cache) fetch(ctx context.Context, url, want string, progress Progress) error {
	file, err := os.OpenFile(c.path(want)+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", Shown(url), err)
	}
	defer file.Close()
	d := download{Cache: c, url: url, file: file, progress: progress, sure: true}
	for try := 0; ; try++ {
		d.joined = false
		if err := d.run(ctx); err != nil {
			return err
		}
		got, err := sumOf(file)
		if err != nil {
			return err
		}
		if got == want {
			return keep(file, c.path(want))
		}
		if err := file.Truncate(0); err != nil {
			return fmt.Errorf("fetch %s: %w", Shown(url), err)
		}
		if d.joined && try == 0 {
			continue // pieces of two files, it may be: once more, from the start
		}
		_ = os.Remove(file.Name())
		return &MismatchError{URL: Shown(url), Want: want, Got: got}
	}
}

// keep gives a finished file its name.
func keep(file *os.File, final string) error {
	if err := file.Close(); err != nil {
		return fmt.Errorf("keep a fetched file: %w", err)
	}
	if err := os.Rename(file.Name(), final); err != nil {
		return fmt.Errorf("keep a fetched file: %w", err)
	}
	return nil
}

// has reports whether a file is there and whole. One that is damaged goes.
func (c *Cache) has(sum string) bool {
	c.mu.Lock()
	good := c.good[sum]
	c.mu.Unlock()
	file, err := os.Open(c.path(sum))
	if err != nil {
		return false
	}
	defer file.Close()
	if good {
		return true
	}
	if got, err := sumOf(file); err != nil || got != sum {
		return false // and the one to come takes its place
	}
	c.remember(sum)
	return true
}

func (c *Cache) remember(sum string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good[sum] = true
}

func (c *Cache) path(sum string) string { return filepath.Join(c.dir, sum) }

func sumOf(file *os.File) (string, error) {
	h := sha256.New()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read %s: %w", file.Name(), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Shown is a URL as people may see it: without its query, where tokens are.
func Shown(url string) string {
	shown, _, _ := strings.Cut(url, "?")
	return shown
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
