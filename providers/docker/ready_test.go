package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/nettest"
	"github.com/envctl/envctl/providers"
)

// listen is a script that serves HTTP on a port with a status, after a moment without anyone there.
func listen(port int, status string) string {
	return fmt.Sprintf(`exec perl -MIO::Socket::INET -e '
		select(undef, undef, undef, 0.15);
		$s = IO::Socket::INET->new(LocalPort => %d, Listen => 5, ReuseAddr => 1) or die;
		while ($c = $s->accept) {
			$line = <$c>;
			while (defined($h = <$c>) && $h ne "\r\n") {}
			print $c "HTTP/1.0 %s\r\n\r\npath " . (split / /, $line)[1];
			close $c;
		}'`, port, status)
}

func TestReadyChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		script string
		ready  envspec.Ready
	}{
		"exec": {"sleep 0.2; touch /up; exec sleep 600", envspec.Ready{Exec: []string{"test", "-e", "/up"}}},
		"tcp":  {listen(8080, "200 OK"), envspec.Ready{TCP: &envspec.TCPCheck{Port: "web"}}},
		"http": {listen(8080, "302 Found"), envspec.Ready{HTTP: &envspec.HTTPCheck{Port: "web", Path: "/health"}}},
		"status": {listen(8080, "503 Later"),
			envspec.Ready{HTTP: &envspec.HTTPCheck{Port: "web", Path: "/", Status: 503}}},
		"log": {"sleep 0.2; echo it is up now; exec sleep 600", envspec.Ready{Log: &envspec.LogCheck{Pattern: "is up .*w$"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(name, test.script)
			c.Ports = []envspec.Port{{Name: "web", Guest: 8080}}
			c.Ready = &test.ready
			began := time.Now()
			if err := w.up(providers.Create, node(c, "1")); err != nil {
				t.Fatal(err)
			}
			t.Logf("created and ready in %s", time.Since(began))
			if tries := strings.Count(w.said(), "not ready yet"); name != "log" && tries == 0 {
				t.Error("it was ready at the first try, so waiting was not tested")
			}
		})
	}
}

func TestCheckOverPublishedPortSeesThroughProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("web", listen(8080, "200 OK"))
	c.Ports = []envspec.Port{{Name: "web", Guest: 8080, Host: nettest.FreePort(t)}, {Name: "none", Guest: 9090, Host: nettest.FreePort(t)}}
	c.Ready = &envspec.Ready{HTTP: &envspec.HTTPCheck{Port: "web", Path: "/"}}
	if err := w.up(providers.Create, node(c, "1")); err != nil {
		t.Fatal(err)
	}
	is, err := w.p.api.ContainerInspect(w.ctx, containerName(w.instance, c.Addr))
	w.must(err)
	behind := waiter{p: w.p, body: c, blocked: true} // as on a Mac, where the container's address leads nowhere
	if err := behind.http(w.ctx, is, envspec.HTTPCheck{Port: "web", Path: "/"}); err != nil {
		t.Errorf("the port that is served: %v", err)
	}
	conn, err := behind.dial(w.ctx, is, "none")
	if err == nil {
		_ = conn.Close()
		t.Error("the port that nobody serves counts as ready")
	}
}

func TestHealthcheckOfImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	c.Image = ""
	const check = "test -e /asked || { touch /asked; exit 1; }" // passes when it is asked once more
	c.Build = &envspec.Build{Inline: "FROM " + base + "\nHEALTHCHECK --interval=1h CMD " + check + "\n"}
	began := time.Now()
	if err := w.up(providers.Create, node(c, "1")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s, as if the engine's own interval counted", took)
	}
	if !strings.Contains(w.said(), "not ready yet: /bin/sh -c "+check+" ended with exit code 1") {
		t.Errorf("its check was not run until it passed: %s", w.said())
	}
	if o := w.observed(c.Addr); o.State != providers.Starting { // as the engine sees it, for an hour
		t.Errorf("observed %+v", o)
	}
}

func TestContainerThatEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("short", "echo first words; sleep 0.3; echo last words >&2; exit 7")
	c.Ready = &envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo not yet; exit 1"}, Interval: time.Minute}
	began := time.Now()
	err := w.up(providers.Create, node(c, "1"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"exit code 7", "first words", "last words", "not yet"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from: %v", want, err)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s to be noticed", took)
	}
	if o := w.observed(c.Addr); o.State != providers.Failed || o.Detail != "exited with code 7" {
		t.Errorf("observed %+v", o)
	}
}

func TestRestartedContainerIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("app", "if [ -e /seen ]; then touch /up; exec sleep 600; fi; touch /seen; sleep 0.2; exit 1")
	c.Restart = "on-failure"
	c.Ready = &envspec.Ready{Exec: []string{"test", "-e", "/up"}}
	if err := w.up(providers.Create, node(c, "1")); err != nil {
		t.Fatal(err)
	}
	is, err := w.p.api.ContainerInspect(w.ctx, containerName(w.instance, c.Addr))
	w.must(err)
	if is.RestartCount == 0 {
		t.Error("it was not restarted, so nothing was tested")
	}
}

func TestNeverReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("app", "echo here I am; exec sleep 600")
	for name, test := range map[string]struct {
		ready envspec.Ready
		want  string
	}{
		"timeout": {envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo still no; exit 4"}, StartPeriod: 700 * time.Millisecond}, "not ready after 700ms"},
		"retries": {envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo still no; exit 4"}, Retries: 2}, "failed 3 times"},
		"hangs":   {envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo still no; exec sleep 5"}, Timeout: 300 * time.Millisecond, Retries: 1}, "did not end in time"},
		"missing": {envspec.Ready{Exec: []string{"/no/such/check"}}, "cannot be run in the container"},
		"port":    {envspec.Ready{TCP: &envspec.TCPCheck{Port: "nope"}}, "which it does not have"},
		"log":     {envspec.Ready{Log: &envspec.LogCheck{Pattern: "never"}, StartPeriod: 300 * time.Millisecond}, `no line of its log matches "never"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.Addr.Name += "-" + name
			c.Ready = &test.ready
			err := w.up(providers.Create, node(&c, "1"))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "not ready after") && !strings.Contains(err.Error(), "here I am") {
				t.Errorf("error %v", err)
			}
			if test.ready.Exec != nil && name != "missing" && !strings.Contains(err.Error(), "still no") {
				t.Errorf("the check's output is missing from: %v", err)
			}
		})
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	c.Ready = &envspec.Ready{Log: &envspec.LogCheck{Pattern: "never"}}
	change := w.change(providers.Create, node(c, "1"))
	w.must(w.p.Apply(w.ctx, change, w.sink))
	ctx, cancel := context.WithCancelCause(w.ctx)
	interrupted := errors.New("interrupted")
	waiting := make(chan error, 1)
	go func() { waiting <- w.p.WaitReady(ctx, change, func(event.Event) {}) }()
	cancel(interrupted)
	select {
	case err := <-waiting:
		if !errors.Is(err, interrupted) {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits on")
	}
}

func TestWhoWaitsForAMomentHearsWhatTheCheckSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	c.Ready = &envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo still no; exit 4"}}
	change := w.change(providers.Create, node(c, "1"))
	w.must(w.p.Apply(w.ctx, change, w.sink))
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	if err := w.p.WaitReady(ctx, change, func(event.Event) {}); err == nil || !strings.Contains(err.Error(), "still no") {
		t.Errorf("error %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	defer l.Close()
	byProcess := l.Addr().(*net.TCPAddr).Port
	byContainer := nettest.FreePort(t)
	holder := sleeper("holder")
	holder.Ports = []envspec.Port{{Name: "web", Guest: 80, Host: byContainer}, {Name: "dns", Guest: 53, Host: nettest.FreePort(t), Protocol: "udp"}}
	w.must(w.up(providers.Create, node(holder, "1")))

	for name, port := range map[string]int{"process": byProcess, "container": byContainer} {
		c := sleeper("wants-" + name)
		c.Ports = []envspec.Port{{Name: "api", Guest: 80, Host: port}}
		err := w.up(providers.Create, node(c, "1"))
		taken, ok := errors.AsType[*PortTakenError](err)
		if !ok || taken.Port != port || !strings.Contains(err.Error(), `port "api"`) {
			t.Errorf("held by a %s: %v", name, err)
		}
		if o := w.observed(c.Addr); o.State != providers.Missing {
			t.Errorf("held by a %s: left %+v", name, o)
		}
	}

	inUse, err := w.p.PortsInUse(w.ctx)
	w.must(err)
	found := map[string]string{}
	for _, p := range inUse {
		if p.Addr == holder.Addr && sameInstance(p.Instance, w.instance) {
			found[fmt.Sprint(p.Port)] = p.Protocol + " " + p.Holder
		}
	}
	name := containerName(w.instance, holder.Addr)
	if len(found) != 2 || found[fmt.Sprint(byContainer)] != "tcp "+name || found[fmt.Sprint(holder.Ports[1].Host)] != "udp "+name {
		t.Errorf("ports in use: %v", found)
	}
	if o := w.observed(holder.Addr); o.Ports["web"] != byContainer {
		t.Errorf("observed ports %v", o.Ports)
	}
}

func TestNoEngine(t *testing.T) {
	dir := t.TempDir()
	env := func(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }
	gone := "unix://" + filepath.Join(dir, "gone.sock")
	p, err := New(Options{Getenv: env(map[string]string{"DOCKER_HOST": gone}), ConfigDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Observe(t.Context(), providers.Instance{Environment: "e", ID: "i"})
	if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), gone) || !strings.Contains(err.Error(), "DOCKER_HOST") {
		t.Errorf("error %v", err)
	}
	here, there := &PortTakenError{Port: 80}, &PortTakenError{Port: 80, Engine: "ssh://box"}
	if !strings.Contains(here.Error(), "port 80 of this computer") || !strings.Contains(there.Error(), "port 80 of the engine's computer (ssh://box)") {
		t.Errorf("%v; %v", here, there)
	}
	if _, err := New(Options{Getenv: env(map[string]string{"DOCKER_CONTEXT": "colima"}), ConfigDir: dir}); err == nil || !strings.Contains(err.Error(), `"colima"`) {
		t.Errorf("a context that is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Getenv: env(nil), ConfigDir: dir}); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("a configuration that cannot be read: %v", err)
	}
}

func TestTheLogOfThisRunBegins(t *testing.T) {
	for _, test := range []struct{ started, ended, want string }{
		{"2026-01-02T03:04:05.5Z", "0001-01-01T00:00:00Z", ""},
		{"2026-01-02T03:04:05.5Z", "", ""},
		{"2026-01-02T03:04:05.5Z", "2026-01-02T03:04:04.5Z", "2026-01-02T03:04:05Z"},
	} {
		if got := sinceStart(&container.State{StartedAt: test.started, FinishedAt: test.ended}); got != test.want {
			t.Errorf("started %s, before that ended %s: %s", test.started, test.ended, got)
		}
	}
}
