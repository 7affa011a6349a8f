package winrm

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestARunBringsOutputAndExitCode(t *testing.T) {
	m := newMachine(t, true)
	m.on["Receive"] = func(asked) reply {
		return received(stream("stdout", "out") + stream("stderr", "err") + stream("stdout", "put") + done("3"))
	}
	c := m.client(nil)
	res, err := c.Run(t.Context(), `cmd /c exit 3`)
	if err != nil {
		t.Fatal(err)
	}
	if string(res.Stdout) != "output" || res.Stderr != "err" || res.ExitCode != 3 {
		t.Errorf("got %+v", res)
	}
	if m.count("Signal") != 1 || m.count("Delete") != 1 {
		t.Errorf("%d signals and %d deletes, want one of each", m.count("Signal"), m.count("Delete"))
	}
	if got := m.last("Command").env.Body.CommandLine.Command; got != `cmd /c exit 3` {
		t.Errorf("command line %q", got)
	}
}

func TestIdentify(t *testing.T) {
	id, err := newMachine(t, true).client(nil).Identify(t.Context())
	if err != nil || id.Vendor != "Microsoft Corporation" || !strings.HasSuffix(id.Version, "Stack: 3.0") {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestAllThatIsWrittenComesThrough(t *testing.T) {
	m := newMachine(t, true)
	_, cmd := m.start(nil)
	want := make([]byte, 8<<20)
	_, _ = rand.Read(want)
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest, size := want, 1; len(rest) > 0; size = (size*7 + 13) % 300_000 {
			n := min(size, len(rest))
			if _, err := cmd.Stdin().Write(rest[:n]); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			rest = rest[n:]
		}
		if err := cmd.Stdin().Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	got, err := io.ReadAll(cmd.Stdout())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back of %d, or they differ; error %v", len(got), len(want), err)
	}
	if code, err := cmd.Wait(); code != 0 || err != nil {
		t.Errorf("ended with %d, %v", code, err)
	}
	wg.Wait()
}

func TestTwoConnectionsCarryACommand(t *testing.T) {
	m := newMachine(t, true)
	conns := map[string]bool{}
	var mu sync.Mutex
	note := func(a asked) reply {
		mu.Lock()
		conns[a.http.RemoteAddr] = true
		mu.Unlock()
		return m.answer(a)
	}
	for _, action := range []string{"Create", "Command", "Send", "Receive", "Signal", "Delete"} {
		m.on[action] = note
	}
	shell, cmd := m.start(nil)
	buf := make([]byte, 5)
	for range 50 {
		if _, err := cmd.Stdin().Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(cmd.Stdout(), buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Stdin().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := shell.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(conns) != 2 {
		t.Errorf("%d connections, want 2", len(conns))
	}
}

func TestOptionsReachTheMachine(t *testing.T) {
	m := newMachine(t, true)
	c := m.client(nil)
	shell, err := c.Shell(t.Context(), ShellOptions{WorkingDir: `C:\a & b`, Env: map[string]string{`A<"'`: `x & ]]> y`}, IdleTimeout: 90 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	sh := m.last("Create").env.Body.Shell
	if sh.WorkingDirectory != `C:\a & b` || sh.IdleTimeOut != "PT5400S" || len(sh.Variables) != 1 || sh.Variables[0].Name != `A<"'` || sh.Variables[0].Value != `x & ]]> y` {
		t.Errorf("got %+v", sh)
	}
	if _, err := shell.Start(t.Context(), "x", CommandOptions{SkipCmdShell: true}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range m.last("Command").env.Header.Options {
		got[o.Name] = o.Value
	}
	if got["WINRS_SKIP_CMD_SHELL"] != "TRUE" || got["WINRS_CONSOLEMODE_STDIN"] != "FALSE" {
		t.Errorf("got %v", got)
	}
}

func TestAClosedConnectionIsMadeAgain(t *testing.T) {
	m := newMachine(t, true)
	m.on["Identify"] = func(a asked) reply {
		r := m.answer(a)
		r.header = http.Header{"Connection": {"close"}}
		return r
	}
	c := m.client(nil)
	for range 3 {
		if _, err := c.Identify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLatencyDoesNotMultiplySends(t *testing.T) {
	m := newMachine(t, true)
	_, cmd := m.start(func(c *Config) { c.Dial = slowDial(5 * time.Millisecond) })
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(io.Discard, cmd.Stdout()) })
	line := bytes.Repeat([]byte("x"), 1000)
	for range 2000 {
		if _, err := cmd.Stdin().Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Stdin().Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := m.count("Send"); n > 60 {
		t.Errorf("2000 small writes took %d requests", n)
	}
}
