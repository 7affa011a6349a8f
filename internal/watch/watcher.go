package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A batch ends when nothing happened for quiet, and at the latest after longest: an editor's save is several steps,
// and a checkout thousands.
const (
	quiet   = 30 * time.Millisecond
	longest = 500 * time.Millisecond
)

// later is when what failed is tried again though nothing more happened.
const later = 2 * time.Second

// most is how many paths a batch names; where there are more, everything is looked at.
const most = 4096

// Batch is what happened on the host.
type Batch struct {
	paths map[string]bool // and whether its content may have changed
	all   bool            // what happened is not known: look at everything
	// Poked says that Poke was called.
	Poked bool
}

func (b Batch) empty() bool { return !b.all && !b.Poked && len(b.paths) == 0 }

// Watcher hears of changes to what rules speak of. It hears from when Listen returns.
type Watcher struct {
	rules *Rules
	fs    *fsnotify.Watcher
	ended chan struct{}
	wake  chan struct{} // holds one

	mu      sync.Mutex
	pending Batch
	first   time.Time // when pending began; in the future where all of it is to be tried again
	last    time.Time // when something was added to it
	err     error     // what kept it from hearing of something

	dirs map[string]bool // the folders that are listened to; only the goroutine's once it runs
}

// Listen starts a watcher; whoever has it must Close it.
func Listen(r *Rules) (*Watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, explain(err)
	}
	w := &Watcher{rules: r, fs: n, ended: make(chan struct{}), wake: make(chan struct{}, 1), dirs: map[string]bool{}}
	if err := w.everything(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	go w.run()
	return w, nil
}

// Close ends it.
func (w *Watcher) Close() error {
	err := w.fs.Close()
	<-w.ended
	return err
}

// Next waits for something to happen, and then until that is over. The error of a folder that cannot be listened to is
// given once, with what happened.
func (w *Watcher) Next(ctx context.Context) (Batch, error) {
	for {
		var over <-chan time.Time
		w.mu.Lock()
		if !w.pending.empty() || w.err != nil {
			pause := min(time.Until(w.last.Add(quiet)), time.Until(w.first.Add(longest)))
			if pause <= 0 {
				b, err := w.pending, w.err
				w.pending, w.err, w.first = Batch{}, nil, time.Time{}
				w.mu.Unlock()
				return b, err
			}
			over = time.After(pause)
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return Batch{}, context.Cause(ctx)
		case <-w.wake:
		case <-over:
		}
	}
}

// Again puts back what could not be brought over: to be tried with what happens next, or after a while.
func (w *Watcher) Again(b Batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first.IsZero() {
		w.first = time.Now().Add(later)
		w.last = w.first
	}
	for p, content := range b.paths {
		w.pending.add(p, content)
	}
	w.pending.Poked = w.pending.Poked || b.Poked
	if b.all {
		w.pending.paths, w.pending.all = nil, true
	}
}

// Poke makes Next return, also where nothing happened on the host.
func (w *Watcher) Poke() { w.note(func(b *Batch) { b.Poked = true }, nil) }

func (b *Batch) add(file string, content bool) {
	if b.all {
		return
	}
	if b.paths == nil {
		b.paths = map[string]bool{}
	}
	b.paths[file] = b.paths[file] || content
	if len(b.paths) > most {
		b.paths, b.all = nil, true
	}
}

func (w *Watcher) note(change func(*Batch), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.pending)
	w.err = errors.Join(w.err, err)
	w.last = time.Now()
	if w.first.IsZero() || w.first.After(w.last) {
		w.first = w.last
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Watcher) run() {
	defer close(w.ended)
	for {
		select {
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			w.event(e)
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				err = nil // all is looked at
			}
			w.forget(func(string) bool { return true }) // they may be other folders by now
			err = errors.Join(explain(err), w.everything())
			w.note(func(b *Batch) { b.paths, b.all = nil, true }, err)
		}
	}
}

func (w *Watcher) event(e fsnotify.Event) {
	file := filepath.Clean(e.Name)
	if w.dirs[file] && (e.Has(fsnotify.Rename) || e.Has(fsnotify.Remove)) {
		w.forget(func(dir string) bool { _, in := below(dir, file); return in })
	}
	if !w.rules.concerns(file) {
		return
	}
	var err error
	if e.Has(fsnotify.Create) {
		err = w.listen(file) // before it is looked at, so that nothing in it is missed
	}
	w.note(func(b *Batch) { b.add(file, e.Op != fsnotify.Chmod) }, err)
}

// forget takes folders out that went away or are called otherwise now: the kernel goes on telling of them under
// their old name.
func (w *Watcher) forget(gone func(dir string) bool) {
	for dir := range w.dirs {
		if gone(dir) {
			delete(w.dirs, dir)
			_ = w.fs.Remove(dir) // it may have gone by itself
		}
	}
}

// everything listens to all that the rules speak of, and to the folders that hold their roots, which may be replaced.
func (w *Watcher) everything() error {
	for _, b := range w.rules.blocks {
		for _, root := range b.roots {
			if err := errors.Join(w.add(filepath.Dir(root.path)), w.listen(root.path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// listen listens to a folder and those below it, as far as any rule speaks of them.
func (w *Watcher) listen(from string) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return gone(err)
		}
		if !d.IsDir() {
			return nil
		}
		if !w.rules.concerns(file) {
			return filepath.SkipDir
		}
		return w.add(file)
	})
}

func (w *Watcher) add(dir string) error {
	if w.dirs[dir] {
		return nil
	}
	if err := w.fs.Add(dir); err != nil {
		return explain(gone(err))
	}
	w.dirs[dir] = true
	return nil
}

// concerns reports whether a rule speaks of a file, or of something that it may hold.
func (r *Rules) concerns(file string) bool {
	for _, b := range r.blocks {
		for _, root := range b.roots {
			if _, above := below(root.path, file); above {
				return true
			}
			rest, in := below(file, root.path)
			name := path.Join(root.name, filepath.ToSlash(rest))
			if _, skip := b.ignored(name); !in || skip {
				continue
			}
			if _, skip := b.unsent(file); !skip || root.named || b.calls(name) != (Calls{}) {
				return true
			}
		}
	}
	return false
}

// explain says what to do about the limits that a system has on watching.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("there are more folders to watch than this system allows: leave some out with `ignore`, or raise fs.inotify.max_user_watches: %w", err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, os.ErrClosed):
		return fmt.Errorf("watching files: this system allows no more: raise fs.inotify.max_user_instances, or `ulimit -n`: %w", err)
	}
	return fmt.Errorf("watching files: %w", err)
}
