package docker

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

func TestDeleteWithAndWithoutRm(t *testing.T) {
	w := newWorld(t)
	c := shell("app", "mkdir /d; echo a > /d/a; echo b > '/d/-b c'; exec sleep 600")
	c.Ready = &envspec.Ready{Exec: []string{"test", "-f", "/d/-b c"}}
	w.must(w.up(providers.Create, node(c, "1")))
	o := w.observed(c.Addr)
	refuse := func() ([]byte, error) { return nil, errors.New("no helper here") }
	there := func(name string) bool {
		t.Helper()
		r, err := w.p.Archive(w.ctx, o, name)
		if err == nil {
			_ = r.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return err == nil
	}
	w.must(w.p.Delete(w.ctx, o, "/", []string{"/d/-b c", "/nowhere"}, refuse))
	if there("/d/-b c") || !there("/d/a") {
		t.Error("not what was asked for was deleted")
	}
	code, err := w.p.Exec(w.ctx, o, providers.ExecOptions{Command: []string{"perl", "-e", "unlink '/bin/rm', '/usr/bin/rm'"}, User: "0", Stdout: io.Discard, Stderr: io.Discard})
	if err != nil || code != 0 {
		t.Fatal(code, err)
	}
	if err := w.p.Delete(w.ctx, o, "/", []string{"/d/a"}, refuse); err == nil || !strings.Contains(err.Error(), "no helper here") {
		t.Errorf("without rm and without a helper: %v", err)
	}
	// The helper is called with "remove" and "--" before the paths.
	helper := func() ([]byte, error) {
		return []byte("#!/usr/bin/perl\nshift eq 'remove' && shift eq '--' or exit 9; unlink @ARGV;\n"), nil
	}
	w.must(w.p.Delete(w.ctx, o, "/", []string{"/d/a"}, helper))
	if there("/d/a") {
		t.Error("the helper deleted nothing")
	}
	w.must(w.p.Stop(w.ctx, o))
	var stopped *NotRunningError
	if err := w.p.Delete(w.ctx, o, "/", []string{"/d"}, helper); !errors.As(err, &stopped) {
		t.Errorf("where it does not run: %v", err)
	}
}

func TestComings(t *testing.T) {
	w := newWorld(t)
	c := sleeper("app")
	w.must(w.up(providers.Create, node(c, "1")))
	o := w.observed(c.Addr)
	ctx, cancel := context.WithCancel(w.ctx)
	came := make(chan struct{}, 100)
	var listening sync.WaitGroup
	listening.Go(func() { w.p.Comings(ctx, w.instance, func() { came <- struct{}{} }) })
	<-came // it listens
	w.must(w.p.Stop(w.ctx, o))
	w.must(w.p.Start(w.ctx, o))
	select {
	case <-came:
	case <-w.ctx.Done():
		t.Error("nothing was heard of the start")
	}
	cancel()
	listening.Wait()
}
