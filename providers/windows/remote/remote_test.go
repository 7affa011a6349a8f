package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/nettest"
)

func TestAHelperThatIsThereIsUsed(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	c := connectTo(t, m)
	if c.BootID() != "boot-1" || c.Greeting().DataDir != `C:\ProgramData\envctl` {
		t.Errorf("greeting %+v", c.Greeting())
	}
	if b.uploads != 0 || len(b.lines) != 1 {
		t.Errorf("%d uploads, %d commands", b.uploads, len(b.lines))
	}
	speaks(t, c)
}

// speaks sends a megabyte through a forward and back.
func speaks(t *testing.T, c *Conn) {
	t.Helper()
	echo := nettest.Serve(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	conn, err := c.DialContext(t.Context(), "tcp", echo.String())
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 1<<20)
	_, _ = rand.Read(want)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(want)
		sent <- err
	}()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil || !bytes.Equal(got, want) {
		t.Errorf("what came back differs; %v", err)
	}
	_ = conn.Close()
}

func TestAHelperThatIsMissingIsBrought(t *testing.T) {
	b, m := newBox(t)
	var last int64
	m.Progress = func(sent, total int64) {
		if sent <= last || total != int64(len(m.HelperGzip)) {
			t.Errorf("progress %d of %d after %d", sent, total, last)
		}
		last = sent
	}
	c := connectTo(t, m)
	if b.uploads != 1 || !bytes.Equal(b.uploaded, helper) {
		t.Errorf("%d uploads, of %d bytes", b.uploads, len(b.uploaded))
	}
	if last != int64(len(m.HelperGzip)) {
		t.Errorf("progress ended at %d of %d", last, len(m.HelperGzip))
	}
	speaks(t, c)
	_ = c.Close()
	speaks(t, connectTo(t, m))
	if b.uploads != 1 {
		t.Errorf("%d uploads, want 1", b.uploads)
	}
}

func TestLookingChangesNothing(t *testing.T) {
	b, m := newBox(t)
	m.LookOnly = true
	_, err := Connect(t.Context(), m)
	if !errors.Is(err, ErrNoHelper) || !strings.Contains(err.Error(), "cannot find the path") {
		t.Errorf("got %v", err)
	}
	if len(b.lines) != 1 || b.uploads != 0 {
		t.Errorf("commands: %q", b.lines)
	}
}

func TestWhatKeepsTheHelperAwayIsTold(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*box, *Machine)
		want    string
	}{
		"no PowerShell":   {func(b *box, _ *Machine) { b.refuse = "this sandbox has no PowerShell\r\n" }, "no PowerShell"},
		"CLIXML":          {func(b *box, _ *Machine) { b.refuse = "#< CLIXML\r\n<Objs><S S=\"Error\">an_x0020_antivirus</S></Objs>" }, "an antivirus"},
		"it is blocked":   {func(b *box, _ *Machine) { b.block = "Access is denied.\r\n" }, "AppLocker"},
		"a wrong sha256":  {func(_ *box, m *Machine) { m.HelperSHA256 = "abc" }, "64 hexadecimal"},
		"not the machine": {func(_ *box, m *Machine) { m.WinRM.Port = 1 }, "winrm quickconfig"},
		"no credential":   {func(_ *box, m *Machine) { m.WinRM.User = "" }, "user and a password"},
	} {
		t.Run(name, func(t *testing.T) {
			b, m := newBox(t)
			tt.prepare(b, &m)
			c, err := Connect(t.Context(), m)
			if err == nil {
				_ = c.Close()
				t.Fatal("it connected")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestASessionThatChangesBytesCarriesBase64(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	b.mangle = func(p []byte) []byte { return bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")) }
	speaks(t, connectTo(t, m))
}

func TestALostSessionIsNoticedBeforeWhatGoesThroughIt(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	c := connectTo(t, m)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := c.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b.server.CloseShells() // as a reboot does
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection through it lives on")
	}
	if c.Alive() {
		t.Error("the connection ended before the link was known to be lost")
	}
	if err := c.Wait(); err == nil || !strings.Contains(err.Error(), m.WinRM.Address) {
		t.Errorf("got %v", err)
	}
}

func TestADeadMachineIsNoticed(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	v := newValve(t, m.WinRM.Port)
	m.WinRM.Port = v.port
	m.WinRM.CleanupTimeout = 100 * time.Millisecond
	m.keepalive, m.dead = 50*time.Millisecond, 300*time.Millisecond
	c := connectTo(t, m)
	select {
	case <-c.Done():
		t.Fatalf("an idle machine was taken for dead: %v", c.Wait())
	case <-time.After(time.Second):
	}
	close(v.shut)
	began := time.Now()
	err := c.Wait()
	if d := time.Since(began); d > time.Second || !strings.Contains(err.Error(), "nothing was heard") {
		t.Errorf("after %s: %v", d, err)
	}
	began = time.Now()
	_ = c.Close()
	if d := time.Since(began); d > time.Second {
		t.Errorf("closing took %s", d)
	}
}

func TestConnectingEndsWithItsContext(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	b.mangle = func([]byte) []byte { return nil } // a helper that never greets
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Connect(ctx, m)
	if d := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || d > time.Second {
		t.Errorf("after %s: %v", d, err)
	}
}

func TestClosingLeavesNothingOnTheMachine(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	for range 3 {
		c := connectTo(t, m)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if c.Alive() || c.Wait() == nil {
			t.Error("it is not lost")
		}
	}
	ended := make(chan struct{})
	go func() { b.serving.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(2 * time.Second):
		t.Error("a helper still runs")
	}
}

func TestConnectingLeavesTheContextBehind(t *testing.T) {
	b, m := newBox(t)
	b.installed = true
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Connect(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	cancel()
	speaks(t, c)
}
