package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/nettest"
)

// What makes the test's own program the process of a forward: its folder, and the engine's address, or "gone".
const (
	processDir    = "FORWARD_TEST_DIR"
	processEngine = "FORWARD_TEST_ENGINE"
)

func process(dir Dir) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	connect := func(ctx context.Context, _ Table) (*Link, error) {
		c, err := net.Dial("tcp", os.Getenv(processEngine))
		if err != nil {
			return nil, err
		}
		return Connect(ctx, c)
	}
	if err := Follow(ctx, dir, connect, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// newProcess gives one that is not running yet. It ends with the test.
func newProcess(t *testing.T, engine string) Process {
	t.Helper()
	p := Process{Dir: Dir(filepath.Join(t.TempDir(), "forward", "e-i"))}
	p.Command = func() (*exec.Cmd, error) {
		cmd := exec.Command(os.Args[0])
		// The race detector has a program wait for a second before it ends.
		cmd.Env = append(os.Environ(), processDir+"="+string(p.Dir), processEngine+"="+engine, "GORACE=atexit_sleep_ms=0")
		return cmd, nil
	}
	t.Cleanup(func() {
		if err := p.End(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p Process) pid(t *testing.T) int {
	t.Helper()
	s, running := p.State()
	if !running || !s.Up {
		t.Fatalf("it is not up: running %t, %+v", running, s)
	}
	return s.PID
}

func TestAProcessIsKeptReplacedAndEnded(t *testing.T) {
	e, to := newEngine(t), serve(t, answering)
	p := newProcess(t, e.l.Addr().String())
	port := nettest.FreePort(t)
	reach := func() {
		t.Helper()
		if got, err := exchange(dial(t, fmt.Sprintf("127.0.0.1:%d", port)), "all"); err != nil || got != "got all" {
			t.Errorf("%q, %v", got, err)
		}
	}
	table := Table{Environment: "e", Instance: "i", Ports: []Port{{port, to}}}
	ensure := func() {
		t.Helper()
		if err := p.Ensure(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	// What one said that is long dead counts for nothing.
	if err := p.Dir.WriteState(State{PID: 1, Speaks: speaks, Table: table.digest(), Up: true}); err != nil {
		t.Fatal(err)
	}
	if _, running := p.State(); running {
		t.Error("a record without a process is taken for one")
	}
	ensure()
	first := p.pid(t)
	reach()
	if held := p.Listens(); len(held) != 1 || !held[port] {
		t.Errorf("it holds %v, not %d", held, port)
	}

	table.Ports = append(table.Ports, Port{nettest.FreePort(t), to})
	ensure()
	if now := p.pid(t); now != first {
		t.Errorf("with another port process %d became %d", first, now)
	}

	dying, err := os.FindProcess(first)
	if err == nil {
		err = dying.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, "it is seen to be dead", func() bool { _, running := p.State(); return !running })
	ensure()
	second := p.pid(t)
	if second == first {
		t.Errorf("the dead process %d is taken for a living one", first)
	}
	reach()

	s, err := p.Dir.State()
	if err != nil {
		t.Fatal(err)
	}
	s.Speaks = speaks - 1
	if err := p.Dir.WriteState(s); err != nil {
		t.Fatal(err)
	}
	ensure()
	if now := p.pid(t); now == second {
		t.Error("a process that speaks an earlier language was kept")
	}
	reach()

	if err := p.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(string(p.Dir))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		c.Close()
		t.Error("it listens on")
	}
}

func TestWhyAProcessIsNotThereIsSaid(t *testing.T) {
	e := newEngine(t)
	t.Run("a port is taken", func(t *testing.T) {
		p, holder := newProcess(t, e.l.Addr().String()), listen(t)
		port := holder.Addr().(*net.TCPAddr).Port
		err := p.Ensure(t.Context(), Table{Ports: []Port{{port, "x:1"}}})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d of this computer", port)) {
			t.Errorf("error %v", err)
		}
		if held := p.Listens(); len(held) > 0 {
			t.Errorf("it holds %v", held)
		}
	})
	t.Run("the engine does not answer", func(t *testing.T) {
		p := newProcess(t, fmt.Sprintf("127.0.0.1:%d", nettest.FreePort(t)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Ensure(ctx, Table{Ports: []Port{{nettest.FreePort(t), "x:1"}}})
		if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), p.Dir.LogPath()) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("it ends at once", func(t *testing.T) {
		p := newProcess(t, "")
		p.Command = func() (*exec.Cmd, error) { return exec.Command("sh", "-c", "echo no luck >&2; exit 3"), nil }
		err := p.Ensure(t.Context(), Table{})
		if err == nil || !strings.Contains(err.Error(), "no luck") || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("error %v", err)
		}
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within 10 s: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
