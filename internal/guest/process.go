package guest

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lingering is how long output stays open for what a program left running when it ended: a daemon
// that inherited the pipes must not hold the caller.
const lingering = 2 * time.Second

// command is something to run.
type command struct {
	line string            // as Windows programs take it: one string
	env  map[string]string // on top of the machine's and the user's environment
	dir  string            // "" is the helper's own folder
	// stdin asks for a pipe; otherwise the program reads an empty file.
	stdin bool
	// outlive lets the program go on when the helper ends, outside of WinRM's job where that can
	// be had: an installer that is cut off in the middle is worse than one that finishes late.
	outlive bool
}

// process is a running command with everything that it started.
type process struct {
	osProcess
	stdin          io.WriteCloser
	stdout, stderr *os.File
}

// run copies output until the program has ended, and gives its exit code, all 32 bits of it. When
// ctx ends, the whole tree is ended. Call it once.
func (p *process) run(ctx context.Context, stdout, stderr io.Writer) (uint32, error) {
	defer p.close()
	defer p.kill() // what it left running
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()

	out := copying{from: p.stdout, to: stdout}
	errs := copying{from: p.stderr, to: stderr}
	var copies sync.WaitGroup
	copies.Go(out.run)
	copies.Go(errs.run)
	copied := make(chan struct{})
	go func() { // owned by this call: ends once both pipes have
		defer close(copied)
		copies.Wait()
		p.stdout.Close()
		p.stderr.Close()
	}()

	code, err := p.wait()
	ticker := time.NewTicker(lingering / 20)
	defer ticker.Stop()
	killed := false
	for {
		select {
		case <-copied:
			return code, errors.Join(err, ctx.Err())
		case <-ticker.C:
			if !out.idle(lingering) || !errs.idle(lingering) {
				continue
			}
			if killed { // something outside of the job holds the pipes: leave it to them
				return code, errors.Join(err, ctx.Err())
			}
			p.kill()
			killed = true
			out.touch()
			errs.touch()
		}
	}
}

// copying is one stream on its way out.
type copying struct {
	from io.Reader
	to   io.Writer
	// since is when the last read began; nil while what was read is being written, however slow the other end is.
	since atomic.Pointer[time.Time]
	ended atomic.Bool
}

func (c *copying) run() {
	buf := make([]byte, 64<<10)
	defer c.ended.Store(true)
	failed := false
	for {
		began := time.Now()
		c.since.Store(&began)
		n, err := c.from.Read(buf)
		c.since.Store(nil)
		if n > 0 && !failed {
			_, werr := c.to.Write(buf[:n])
			failed = werr != nil // then drain, so that the program is not blocked
		}
		if err != nil {
			return
		}
	}
}

// touch begins the wait anew, where one is under way.
func (c *copying) touch() {
	if since := c.since.Load(); since != nil {
		now := time.Now()
		c.since.CompareAndSwap(since, &now)
	}
}

// idle reports whether nothing came for d.
func (c *copying) idle(d time.Duration) bool {
	since := c.since.Load()
	return c.ended.Load() || since != nil && time.Since(*since) >= d
}
