package lock_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/envctl/envctl/internal/lock"
)

func TestSecondWaitsAndIsToldForWhom(t *testing.T) {
	dir := t.TempDir()
	first, err := lock.Instance(t.Context(), dir, "gp", "a1", "envctl up", nil)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan lock.Holder, 1)
	got := make(chan error, 1)
	go func() {
		l, err := lock.Instance(t.Context(), dir, "gp", "a1", "envctl up", func(h lock.Holder) { told <- h })
		got <- errors.Join(err, l.Release())
	}()
	if h := <-told; h.PID != os.Getpid() || h.Host == "" || h.Command != "envctl up" {
		t.Errorf("told %+v", h)
	}
	other, err := lock.Instance(t.Context(), dir, "gp", "a2", "", nil)
	if err != nil {
		t.Fatalf("another instance: %v", err)
	}
	if err := errors.Join(other.Release(), first.Release()); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	first, err := lock.Engine(t.Context(), dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Release()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lock.Engine(ctx, dir, "", func(lock.Holder) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// The files go with every release, so this is where two would hold it at once if that were done wrong.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "l.lock")
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 30 {
				l, err := lock.Acquire(t.Context(), path, "", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold it", n)
				}
				inside.Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestEndsWithItsProcess(t *testing.T) {
	if path := os.Getenv("LOCK_TEST_PATH"); path != "" {
		if _, err := lock.Acquire(t.Context(), path, "", nil); err != nil {
			t.Fatal(err)
		}
		os.Exit(0) // as a killed process would: without releasing
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "engine.lock")
	kill := func() {
		t.Helper()
		cmd := exec.Command(os.Args[0], "-test.run=^TestEndsWithItsProcess$")
		cmd.Env = append(os.Environ(), "LOCK_TEST_PATH="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	kill()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the dead process left no lock file, so this shows nothing: %v", err)
	}
	l, err := lock.Acquire(t.Context(), path, "", func(h lock.Holder) { t.Errorf("waits for %v", h) })
	if err != nil {
		t.Fatal(err)
	}
	if !l.Killed() {
		t.Error("it does not know that the one before was killed")
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	l, err = lock.Acquire(t.Context(), path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if l.Killed() {
		t.Error("one that gave it up was not killed")
	}
	if err := lock.TidyEngine(dir); err != nil {
		t.Error(err)
	}
	if _, held := lock.Held(path); !held {
		t.Error("tidying took a lock away that is held")
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	kill()
	if err := lock.TidyEngine(dir); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
