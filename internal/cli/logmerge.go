package cli

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// logs writes what several containers printed: first what is there, in the order of time, then what comes.
type logs struct {
	docker *docker.Provider
	opts   providers.LogOptions

	mu    sync.Mutex // held to write, and for what is below
	out   *view.Log
	from  []*logSource
	alive int
}

// logSource is one container's log and how far it has been written.
type logSource struct {
	o     providers.Observed
	last  time.Time // of the latest line
	count int       // of lines with that time
	alive bool
	again bool // it was started anew before the end of its log was seen
}

func newLogs(d *docker.Provider, out *view.Log, opts providers.LogOptions) *logs {
	return &logs{docker: d, out: out, opts: opts}
}

func (l *logs) add(o providers.Observed) { l.from = append(l.from, &logSource{o: o}) }

func (l *logs) write(s *logSource, line docker.LogLine) error {
	if !line.Time.Equal(s.last) {
		s.last, s.count = line.Time, 0
	}
	s.count++
	return l.out.Write(view.LogLine{Time: line.Time.UTC(), Address: s.o.Addr, Stream: line.Stream, Line: line.Text})
}

// ahead is how many lines of each log are read before they are needed.
const ahead = 64

// history writes what there is, merged. No log is held in memory: of each there is the next line and some more.
func (l *logs) history(ctx context.Context) error {
	opts := l.opts
	opts.Follow = false
	g, ctx := errgroup.WithContext(ctx)
	lines := make([]chan docker.LogLine, len(l.from))
	for i, s := range l.from {
		next := make(chan docker.LogLine, ahead)
		lines[i] = next
		g.Go(func() error {
			defer close(next)
			return l.docker.Lines(ctx, s.o, opts, func(line docker.LogLine) error {
				select {
				case next <- line:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
		})
	}
	g.Go(func() error { return l.merge(lines) })
	return g.Wait()
}

// merge writes the lines of all channels, the earliest of the next ones each time, until all are closed.
func (l *logs) merge(lines []chan docker.LogLine) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	heads := make([]*docker.LogLine, len(lines))
	advance := func(i int) {
		heads[i] = nil
		if line, more := <-lines[i]; more {
			heads[i] = &line
		}
	}
	for i := range lines {
		advance(i)
	}
	for {
		first := -1
		for i, h := range heads {
			if h != nil && (first < 0 || h.Time.Before(heads[first].Time)) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		if err := l.write(l.from[first], *heads[first]); err != nil {
			return err
		}
		advance(first)
	}
}

// follow goes on where history ended. A container that is started again, or made anew, is taken up again;
// when none is left it returns.
func (l *logs) follow(ctx context.Context, i providers.Instance) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	begin := func(s *logSource) { // the lock is held
		s.alive = true
		l.alive++
		g.Go(func() error {
			for {
				err := l.one(ctx, s)
				if again := l.ended(s, err, cancel); !again {
					return err
				}
			}
		})
	}
	byAddr := map[addr.Addr]*logSource{}
	l.mu.Lock()
	for _, s := range l.from {
		byAddr[s.o.Addr] = s
		begin(s)
	}
	l.mu.Unlock()
	g.Go(func() error {
		return l.docker.Starts(ctx, i, func(o providers.Observed) {
			l.mu.Lock()
			defer l.mu.Unlock()
			s := byAddr[o.Addr]
			switch {
			case s == nil || ctx.Err() != nil:
				return
			case s.alive && s.o.Handle == o.Handle:
				s.again = true
				return
			case s.o.Handle != o.Handle:
				s = &logSource{o: o}
				byAddr[o.Addr] = s
			}
			begin(s)
		})
	})
	return g.Wait()
}

// ended notes that a container's log came to its end, unless there is more to come of it.
func (l *logs) ended(s *logSource, err error, last func()) (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if again, s.again = s.again && err == nil, false; again {
		return true
	}
	s.alive = false
	if l.alive--; l.alive == 0 {
		last()
	}
	return false
}

// one follows one container's log from after what was written of it.
func (l *logs) one(ctx context.Context, s *logSource) error {
	opts := l.opts
	l.mu.Lock()
	last, skip := s.last, s.count
	l.mu.Unlock()
	if !last.IsZero() {
		opts.Since, opts.Tail = last, 0
	}
	return l.docker.Lines(ctx, s.o, opts, func(line docker.LogLine) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if skip > 0 && line.Time.Equal(last) {
			skip--
			return nil
		}
		return l.write(s, line)
	})
}
