package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/nettest"
	"github.com/envctl/envctl/internal/secret"
)

const planted = "pl4nted-Passw0rd"

// rig is a gateway that runs, and the machine behind it.
type rig struct {
	t       *testing.T
	machine *testMachine
	dir     string
	o       Options
	log     *lockedBuffer
	stop    func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func fast() timing {
	return timing{
		backoffMin: 5 * time.Millisecond, backoffMax: 50 * time.Millisecond, attempt: 5 * time.Second,
		keepalive: 20 * time.Millisecond, dead: 400 * time.Millisecond, grace: 300 * time.Millisecond,
		dial: 2 * time.Second, poll: 10 * time.Millisecond, repeat: time.Minute, closing: 200 * time.Millisecond,
	}
}

func newRig(t *testing.T, w Wires) *rig {
	t.Helper()
	r := &rig{t: t, machine: newTestMachine(t), dir: t.TempDir(), log: &lockedBuffer{}}
	host, port, _ := net.SplitHostPort(r.machine.addr)
	n, _ := strconv.Atoi(port)
	m := Machine{Addr: addr.Addr{Kind: addr.Windows, Name: "pas"}, Address: host, Port: n, User: "admin",
		Password: secret.Text{Value: planted, Sensitive: true}}
	r.o = Options{
		Config: filepath.Join(r.dir, "gateway.json"), Wires: filepath.Join(r.dir, "wires.json"),
		Control: filepath.Join(r.dir, "control"), Connect: r.machine.connect,
		Log: slog.New(slog.NewTextHandler(r.log, nil)), timing: fast(),
	}
	r.write(r.o.Config, m)
	r.write(r.o.Wires, w)
	t.Cleanup(func() {
		if r.stop != nil {
			r.stop()
		}
		if strings.Contains(r.log.String(), planted) {
			t.Error("the password is in the log")
		}
	})
	return r
}

func (r *rig) write(path string, v any) {
	r.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, r.o) }()
	r.stop = func() error {
		cancel()
		r.stop = nil
		return <-done
	}
	r.until("the control socket answers", func(Status) bool { return true })
}

func (r *rig) status() (Status, error) {
	return ask(r.t.Context(), r.o.Control, "GET", "/status")
}

// until polls the status until ok says so.
func (r *rig) until(what string, ok func(Status) bool) Status {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		s, err := r.status()
		if err == nil && ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain: %s\nstatus %+v, %v\nlog:\n%s", what, s, err, r.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (r *rig) ready() Status {
	r.t.Helper()
	return r.until("ready", func(s Status) bool { return s.Ready() == nil })
}

func wireNamed(s Status, name string) WireStatus {
	for _, w := range s.Wires {
		if w.Name == name {
			return w
		}
	}
	return WireStatus{}
}

// answerAtEnd reads all that comes until the other end says it is done, and only then answers: it needs half-close.
func answerAtEnd(c *net.TCPConn) {
	data, err := io.ReadAll(c)
	if err == nil {
		c.Write(append([]byte("got:"), data...))
	}
}

func echo(c *net.TCPConn) { io.Copy(c, c) }

func dialPort(t *testing.T, port int) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// knock connects and waits for a byte. A reset may come so soon that connecting itself fails with it.
func knock(port int) error {
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Read(make([]byte, 1))
	return err
}

func exchange(t *testing.T, port int, send []byte) ([]byte, error) {
	t.Helper()
	c := dialPort(t, port)
	defer c.Close()
	go func() { c.Write(send); c.CloseWrite() }()
	return io.ReadAll(c)
}

func sqlEndpoint() addr.Endpoint {
	return addr.Endpoint{Addr: addr.Addr{Kind: addr.Container, Name: "db"}, Port: "sql"}
}

func TestBothDirectionsWithHalfCloseAndEveryByte(t *testing.T) {
	inMachine, outside := nettest.Serve(t, answerAtEnd).Port, nettest.Serve(t, answerAtEnd).Port
	listen, guest := nettest.FreePort(t), nettest.FreePort(t)
	r := newRig(t, Wires{
		Forwards: []Forward{{Port: "api", Listen: listen, Guest: inMachine}},
		Reverse:  []Reverse{{To: sqlEndpoint(), GuestListen: guest, Dial: "localhost:" + strconv.Itoa(outside)}},
	})
	r.machine.start()
	r.run()
	r.ready()
	big := make([]byte, 4<<20)
	rand.Read(big)
	for name, port := range map[string]int{"forward": listen, "reverse": guest} {
		got, err := exchange(t, port, big)
		if err != nil || !bytes.Equal(got, append([]byte("got:"), big...)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	s := r.until("counters settle", func(s Status) bool {
		return wireNamed(s, "api").Open == 0 && wireNamed(s, sqlEndpoint().String()).Open == 0
	})
	if s.Link.BootID != "boot-1" {
		t.Errorf("boot id %q", s.Link.BootID)
	}
	api, sql := wireNamed(s, "api"), wireNamed(s, sqlEndpoint().String())
	n := int64(len(big))
	if api.Connections != 1 || api.BytesIn != n || api.BytesOut != n+4 || api.LastError != "" {
		t.Errorf("forward: %+v", api)
	}
	// What the machine asked for counts as out of it, the answer as into it.
	if sql.Connections != 1 || sql.BytesOut != n || sql.BytesIn != n+4 || sql.LastError != "" {
		t.Errorf("reverse: %+v", sql)
	}
}

func TestWhileTheMachineIsAway(t *testing.T) {
	listen := nettest.FreePort(t)
	r := newRig(t, Wires{Forwards: []Forward{{Port: "api", Listen: listen, Guest: nettest.Serve(t, echo).Port}}})
	r.run()
	r.until("down", func(s Status) bool { return s.Link.State == Down && s.Link.Error != "" })

	began := time.Now()
	err := knock(listen)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection without a machine ended with %v, want a reset", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	s, err := r.status()
	if err != nil || wireNamed(s, "api").State != Down || !strings.Contains(wireNamed(s, "api").LastError, "windows.pas") {
		t.Errorf("status %+v, %v", s, err)
	}
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "link to windows.pas is down") {
		t.Errorf("Ready() = %v", err)
	}

	// One that comes early is carried once the machine is there.
	r.stop()
	r.o.timing.grace = 10 * time.Second
	r.run()
	early := dialPort(t, listen)
	early.Write([]byte("x"))
	r.until("it is taken in", func(s Status) bool { return wireNamed(s, "api").Open == 1 })
	r.machine.start()
	if _, err := io.ReadFull(early, make([]byte, 1)); err != nil {
		t.Errorf("an early connection: %v", err)
	}
}

func TestRebootCutsWithAResetAndComesBack(t *testing.T) {
	inMachine, outside := nettest.Serve(t, echo).Port, nettest.Serve(t, echo).Port
	listen, guest := nettest.FreePort(t), nettest.FreePort(t)
	r := newRig(t, Wires{
		Forwards: []Forward{{Port: "api", Listen: listen, Guest: inMachine}},
		Reverse:  []Reverse{{To: sqlEndpoint(), GuestListen: guest, Dial: "127.0.0.1:" + strconv.Itoa(outside)}},
	})
	r.machine.start()
	r.run()
	r.ready()
	open := dialPort(t, listen)
	open.Write([]byte("half an answer"))
	if _, err := io.ReadFull(open, make([]byte, 14)); err != nil {
		t.Fatal(err)
	}
	r.machine.stop()
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an open connection ended with %v, want a reset", err)
	}
	r.until("down", func(s Status) bool { return s.Link.State == Down })
	r.machine.start()
	s := r.ready()
	if s.Link.BootID != "boot-2" || s.Link.Connections != 2 || s.Link.Error != "" {
		t.Errorf("link after the reboot: %+v", s.Link)
	}
	for _, port := range []int{listen, guest} {
		if got, err := exchange(t, port, []byte("again")); err != nil || string(got) != "again" {
			t.Errorf("after the reboot: %q, %v", got, err)
		}
	}
	for _, want := range []string{"msg=connected boot=boot-1", `msg="lost, reconnecting" reason=`, "msg=connected boot=boot-2"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.log)
		}
	}
}

func TestSilentMachineIsGivenUp(t *testing.T) {
	r := newRig(t, Wires{})
	r.machine.start()
	r.run()
	r.ready()
	r.machine.deaf.Store(true)
	r.until("lost", func(s Status) bool { return strings.Contains(s.Link.Error, "nothing heard from the machine") })
	r.machine.deaf.Store(false)
	r.ready()
}

func TestRefusedReverseIsShownAndRetried(t *testing.T) {
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	guest := holder.Addr().(*net.TCPAddr).Port
	r := newRig(t, Wires{Reverse: []Reverse{{To: sqlEndpoint(), GuestListen: guest,
		Dial: "127.0.0.1:" + strconv.Itoa(nettest.Serve(t, echo).Port)}}})
	r.machine.start()
	r.run()
	s := r.until("refused", func(s Status) bool { return s.Wires[0].State == Down })
	if err := s.Ready(); s.Link.State != Up || err == nil || !strings.Contains(err.Error(), "does not listen on 127.0.0.1:"+strconv.Itoa(guest)) ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("link %s, Ready() = %v", s.Link.State, err)
	}
	holder.Close()
	r.ready()
	if got, err := exchange(t, guest, []byte("now")); err != nil || string(got) != "now" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTargetThatRefuses(t *testing.T) {
	listen, guest, nobody := nettest.FreePort(t), nettest.FreePort(t), nettest.FreePort(t)
	r := newRig(t, Wires{
		Forwards: []Forward{{Port: "api", Listen: listen, Guest: nobody}},
		Reverse:  []Reverse{{To: sqlEndpoint(), GuestListen: guest, Dial: "127.0.0.1:" + strconv.Itoa(nobody)}},
	})
	r.machine.start()
	r.run()
	r.ready()
	if err := knock(listen); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("forward ended with %v, want a reset", err)
	}
	if err := knock(guest); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reverse ended with %v, want a reset", err)
	}
	r.until("both said why", func(s Status) bool {
		return strings.Contains(s.Wires[0].LastError, "refused") && strings.Contains(s.Wires[1].LastError, "refused")
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
