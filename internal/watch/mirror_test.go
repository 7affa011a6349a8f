package watch

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"

	"github.com/envctl/envctl/envspec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a container in memory.
type box struct {
	has     map[string]string
	fail    error
	stopped bool
}

func (b *box) Archive(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (b *box) Root(string) string                                     { return "/" }

func (b *box) Unpack(_ context.Context, _ string, r io.Reader) error {
	if b.fail != nil {
		return b.fail
	}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if name := "/" + strings.TrimSuffix(h.Name, "/"); h.Name != record {
			maps.DeleteFunc(b.has, func(k, _ string) bool { return h.Typeflag != tar.TypeDir && strings.HasPrefix(k, name+"/") })
			b.has[name] = fmt.Sprintf("%c%s%s", h.Typeflag, h.Linkname, text)
		}
	}
}

func (b *box) Delete(_ context.Context, paths []string) error {
	if b.stopped {
		return ErrNotRunning
	}
	for _, p := range paths {
		maps.DeleteFunc(b.has, func(k, _ string) bool { return k == p || strings.HasPrefix(k, p+"/") })
	}
	return nil
}

type setup struct {
	t   *testing.T
	dir string
	box *box
	w   *Watcher
	m   *Mirror
}

func begin(t *testing.T, block envspec.Watch, build *envspec.Build, files ...string) *setup {
	t.Helper()
	s := &setup{t: t, dir: t.TempDir(), box: &box{has: map[string]string{}}}
	for _, f := range files {
		s.write(f, f)
	}
	block.Dir = s.dir
	for i, p := range block.Paths {
		block.Paths[i] = filepath.Join(s.dir, p)
	}
	if build != nil {
		build.Context = s.dir
	}
	r, err := New([]envspec.Watch{block}, build)
	if err != nil {
		t.Fatal(err)
	}
	if s.w, err = Listen(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.w.Close() })
	s.m = NewMirror(r, s.box)
	if _, err := s.m.Whole(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *setup) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	s.do(os.MkdirAll(filepath.Dir(file), 0o755))
	s.do(os.WriteFile(file, []byte(text), 0o644))
}

func (s *setup) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// until takes batches until the box holds just this, and gives what they called for.
func (s *setup) until(want ...string) (calls Calls) {
	s.t.Helper()
	slices.Sort(want)
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for {
		var has []string
		for k, v := range s.box.has {
			if v[0] != tar.TypeDir {
				has = append(has, k+"="+v[1:])
			}
		}
		slices.Sort(has)
		if slices.Equal(has, want) {
			return calls
		}
		b, err := s.w.Next(ctx)
		if err != nil {
			s.t.Fatalf("it has %q, not %q: %v", has, want, err)
		}
		r, err := s.m.Batch(ctx, b)
		if err != nil && !errors.Is(err, s.box.fail) {
			s.t.Fatal(err)
		}
		if err != nil {
			s.w.Again(b)
			s.box.fail = nil
		}
		calls.add(r.Calls)
	}
}

func TestMirror(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"src", "go.mod"}, Ignore: []string{"src/tmp"}, Sync: "/app", Restart: []string{"**/*.py"}, Rebuild: []string{"go.mod", "Dockerfile"}},
		nil, "src/a.py", "src/tmp/x", "src/.git/HEAD", "src/b.txt~", "go.mod", "Dockerfile")
	if c := s.until("/app/a.py=src/a.py", "/app/go.mod=go.mod"); c != (Calls{}) {
		t.Errorf("at first: %+v", c)
	}
	s.write("src/tmp/y", "y")
	s.write("src/lib/deep/c", "c")
	if c := s.until("/app/a.py=src/a.py", "/app/go.mod=go.mod", "/app/lib/deep/c=c"); c != (Calls{}) {
		t.Errorf("a file: %+v", c)
	}
	s.do(os.Rename(filepath.Join(s.dir, "src/lib"), filepath.Join(s.dir, "src/moved")))
	s.until("/app/a.py=src/a.py", "/app/go.mod=go.mod", "/app/moved/deep/c=c")
	s.write("src/moved/deep/c", "in a folder under its new name")
	s.until("/app/a.py=src/a.py", "/app/go.mod=go.mod", "/app/moved/deep/c=in a folder under its new name")
	s.do(os.RemoveAll(filepath.Join(s.dir, "src/moved")))
	s.do(os.Symlink("/elsewhere", filepath.Join(s.dir, "src/moved")))
	s.until("/app/a.py=src/a.py", "/app/go.mod=go.mod", "/app/moved=/elsewhere")
	s.write("src/a.py.new", "saved")
	s.do(os.Rename(filepath.Join(s.dir, "src/a.py.new"), filepath.Join(s.dir, "src/a.py")))
	if c := s.until("/app/a.py=saved", "/app/go.mod=go.mod", "/app/moved=/elsewhere"); c != (Calls{Restart: true}) {
		t.Errorf("a.py: %+v", c)
	}
	s.do(os.RemoveAll(filepath.Join(s.dir, "src")))
	s.until("/app/go.mod=go.mod")
	s.write("src/back", "back")
	s.until("/app/go.mod=go.mod", "/app/back=back")
	s.write("go.mod", "another")
	if c := s.until("/app/go.mod=another", "/app/back=back"); c != (Calls{Rebuild: true}) {
		t.Errorf("go.mod: %+v", c)
	}
}

// TestCallsOfAFolder: a folder may be named, and what is in one that goes away counts, for each block by itself.
func TestCallsOfAFolder(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"src"}, Restart: []string{"**/*.conf"}, Rebuild: []string{"image"}}, nil, "src/a/b.conf", "image/x/y")
	for want, change := range map[Calls]func(){
		{Restart: true}: func() { s.do(os.RemoveAll(filepath.Join(s.dir, "src/a"))) },
		{Rebuild: true}: func() { s.write("image/x/z", "z") },
	} {
		change()
		var calls Calls
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		for calls == (Calls{}) {
			b, err := s.w.Next(ctx)
			s.do(err)
			r, err := s.m.Batch(ctx, b)
			s.do(err)
			calls.add(r.Calls)
		}
		cancel()
		if calls != want {
			t.Errorf("%+v, not %+v", calls, want)
		}
	}
}

// TestNamedOutsideOfPaths: what is only named in rebuild is watched, and not synced.
func TestNamedOutsideOfPaths(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"src"}, Sync: "/app", Rebuild: []string{"Dockerfile"}}, nil, "src/a", "Dockerfile")
	s.write("Dockerfile", "FROM x")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := s.w.Next(ctx)
	s.do(err)
	r, err := s.m.Batch(ctx, b)
	s.do(err)
	if !r.Rebuild || r.Put > 0 {
		t.Errorf("%+v", r)
	}
}

func TestAfterAFailureItIsTriedAgain(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"src"}, Sync: "/app"}, nil, "src/a")
	s.box.fail = errors.New("the engine is away")
	s.write("elsewhere", "later")
	s.do(os.Rename(filepath.Join(s.dir, "elsewhere"), filepath.Join(s.dir, "src/a"))) // one event
	began := time.Now()
	s.until("/app/a=later")
	if took := time.Since(began); took < later {
		t.Errorf("it was tried again after %v, and %v should lie between", took, later)
	}
	s.box.stopped = true
	s.do(os.Remove(filepath.Join(s.dir, "src/a")))
	s.write("src/b", "b")
	s.until("/app/a=later", "/app/b=b")
	s.box.stopped = false
	s.w.Poke()
	s.until("/app/b=b")
}

// TestALostEvent: where it is not known what happened, all is compared.
func TestALostEvent(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"src"}, Sync: "/app"}, nil, "src/a", "src/b")
	s.write("src/a", "SRC/A") // as long as before, and perhaps in the same tick
	s.do(os.Remove(filepath.Join(s.dir, "src/b")))
	_, err := s.m.Batch(t.Context(), Batch{all: true})
	s.do(err)
	if s.box.has["/app/a"] != "0SRC/A" || s.box.has["/app/b"] != "" {
		t.Errorf("%q", s.box.has)
	}
}

// TestAFolderWhoseEventsWereLost: it may have been made anew meanwhile, and is listened to as it is now.
func TestAFolderWhoseEventsWereLost(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"src"}, Sync: "/app"}, nil, "src/lib/a")
	s.do(s.w.fs.Remove(filepath.Join(s.dir, "src/lib"))) // as the kernel does when it goes away
	s.w.fs.Errors <- fsnotify.ErrEventOverflow
	b, err := s.w.Next(t.Context())
	s.do(err)
	if !b.all {
		t.Errorf("%+v", b)
	}
	s.write("src/lib/a", "later")
	s.until("/app/lib/a=later")
}

func TestManyChangesAreOneLookAtAll(t *testing.T) {
	var b Batch
	for i := range most + 1 {
		b.add(fmt.Sprint(i), true)
	}
	if !b.all || b.paths != nil {
		t.Errorf("%d paths, all %t", len(b.paths), b.all)
	}
}

func TestDockerignoreIsKept(t *testing.T) {
	s := begin(t, envspec.Watch{Paths: []string{"."}, Ignore: []string{".dockerignore"}, Sync: "/app"}, &envspec.Build{}, "a", "node_modules/x/y")
	s.write(".dockerignore", "node_modules\n")
	r, err := New([]envspec.Watch{{Dir: s.dir, Paths: []string{s.dir}, Ignore: []string{".dockerignore"}, Sync: "/app"}}, &envspec.Build{Context: s.dir})
	s.do(err)
	s.box.has = map[string]string{}
	_, err = NewMirror(r, s.box).Whole(t.Context())
	s.do(err)
	if got := slices.Sorted(maps.Keys(s.box.has)); !slices.Equal(got, []string{"/app/a"}) {
		t.Errorf("%q", got)
	}
}
