package windows

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/carrier"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guest"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/providers"
)

// helper is the real guest helper, in this process and on this computer, with the kinds of layer that need no Windows.
type helper struct {
	t     *testing.T
	dir   string
	there atomic.Bool // whether the helper was brought to the machine
	away  atomic.Bool // whether the machine cannot be reached
	dials atomic.Int64

	mu    sync.Mutex
	kill  []func()
	serve func(ctx context.Context, in io.ReadCloser, out io.WriteCloser) error
}

func newHelper(t *testing.T) *helper {
	t.Helper()
	h := &helper{t: t, dir: filepath.Join(t.TempDir(), "envctl")}
	t.Setenv("ENVCTL_GUEST_DIR", h.dir)
	h.serve = func(ctx context.Context, in io.ReadCloser, out io.WriteCloser) error {
		m, err := guest.NewMachine()
		if err != nil {
			return err
		}
		return guest.Serve(ctx, m, in, out, slog.New(slog.DiscardHandler))
	}
	return h
}

func (h *helper) dial(ctx context.Context, m *envspec.Machine, bootstrap bool, _ event.Sink) (*conn, error) {
	h.dials.Add(1)
	if h.away.Load() {
		return nil, errors.New("connection refused")
	}
	if !bootstrap && !h.there.Load() {
		return nil, errNoHelper
	}
	h.there.Store(true)
	upR, upW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	downR, downW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	serving, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer downW.Close()
		if err := h.serve(serving, upR, downW); err != nil && serving.Err() == nil {
			h.t.Errorf("the helper ended with %v", err)
		}
	}()
	kill := func() { end(); upW.Close(); downR.Close(); <-done }
	h.mu.Lock()
	h.kill = append(h.kill, kill)
	h.mu.Unlock()
	stream, greeting, err := carrier.Client(ctx, downR, upW)
	if err != nil {
		kill()
		return nil, err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(greeting.HostKey))
	if err != nil {
		return nil, err
	}
	sc, chans, reqs, err := ssh.NewClientConn(stream, m.Address, &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(hostKey)})
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(sc, chans, reqs)
	return newConn(client, greeting, client.Wait, func() error { client.Close(); kill(); return nil }), nil
}

// cut ends every connection, as a network does.
func (h *helper) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.kill {
		k()
	}
	h.kill = nil
}

// log collects events.
type log struct {
	mu     sync.Mutex
	events []event.Event
}

func (l *log) sink(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *log) steps() (steps []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Type == event.Begin {
			steps = append(steps, e.Action+" "+e.Layer)
		}
	}
	return steps
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, e := range l.events {
		b.WriteString(string(e.Type) + " " + e.Layer + " " + e.Message + " " + e.Error + "\n")
	}
	return b.String()
}

var pas = addr.Addr{Kind: addr.Windows, Name: "pas"}

func instance() providers.Instance {
	return providers.Instance{Environment: "gp", ID: "one", SpecDir: "/src/gp"}
}

func machine(layers ...guestproto.Layer) *envspec.Machine {
	return &envspec.Machine{Addr: pas, Address: "machine.test", Layers: layers, WinRM: envspec.WinRM{User: "admin"}}
}

// change is what an engine asks for once a plan said keep.
func change(m *envspec.Machine, keep int) providers.Change {
	return providers.Change{Action: providers.Update, Instance: instance(), Keep: keep,
		Node: providers.Node{Addr: pas, Layers: HashLayers(m.Layers), Body: m}}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}
