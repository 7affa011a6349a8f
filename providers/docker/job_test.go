package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// job is a shell that is to end.
func job(name, script string) *envspec.Container {
	c := shell(name, script)
	c.Addr.Kind = addr.Job
	return c
}

func TestJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := job("seed", "sleep 0.3; echo sown >/data/field")
	c.Volumes = []envspec.Volume{{Name: "data", Target: "/data"}}
	change := w.change(providers.Create, node(c, "1"))
	w.must(w.p.Apply(w.ctx, change, w.sink))
	if o := w.observed(c.Addr); o.State != providers.Starting || o.Detail != "running" {
		t.Errorf("while it runs: %+v", o)
	}
	w.must(w.p.WaitReady(w.ctx, change, w.sink))
	before := w.observed(c.Addr)
	if before.State != providers.Ready || before.Detail != "done" {
		t.Errorf("when it has ended: %+v", before)
	}
	w.must(w.p.WaitReady(w.ctx, w.change(providers.None, node(c, "1")), w.sink))
	if o := w.observed(c.Addr); o.Handle != before.Handle {
		t.Error("what is done ran again")
	}
	w.must(w.up(providers.Replace, node(c, "2")))
	if o := w.observed(c.Addr); o.Handle == before.Handle || o.Identity != "2" || o.State != providers.Ready {
		t.Errorf("after it changed: %+v", o)
	}
}

func TestJobThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := job("migrate", "echo no such table: patients; exit 3")
	err := w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), "it ended with exit code 3") || strings.Contains(err.Error(), "before it was ready") || !strings.Contains(err.Error(), "no such table: patients") {
		t.Errorf("error: %v", err)
	}
	if o := w.observed(c.Addr); o.State != providers.Failed || o.Detail != "exited with code 3" {
		t.Errorf("observed %+v", o)
	}
}

func TestJobThatTakesTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := job("endless", "echo going; exec sleep 600")
	c.Timeout = 300 * time.Millisecond
	err := w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), "longer than its timeout, 300ms, and was stopped") || !strings.Contains(err.Error(), "going") {
		t.Errorf("error: %v", err)
	}
	if o := w.observed(c.Addr); o.State == providers.Ready || o.State == providers.Starting {
		t.Errorf("observed %+v", o)
	}
}
