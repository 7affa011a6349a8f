package windows

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/providertest"
)

// TestContractOnASandbox holds the provider to its contract over WinRM, on the helper that Windows machines get: to what
// TestContract cannot tell. Each subtest brings the helper to the machine and takes it away again.
func TestContractOnASandbox(t *testing.T) {
	box := sandboxtest.Start(t)
	helper := sandboxtest.Helper(t)
	only := []string{
		"Apply makes what Observe finds", "Apply that fails leaves nothing whole", "Apply that is cut short leaves nothing whole",
		"Remove takes all away", "Remove spares other instances", "An ended context ends Apply", "Secrets stay hidden",
		"Exec passes on output and exit codes", "Exec passes on stdin", "Exec ends with its context",
	}
	providertest.Run(t, providertest.Suite{Soon: 30 * time.Second, Only: only, World: func(t *testing.T) *providertest.World {
		var wrote logged
		p := New(Options{Helper: helper, Log: slog.New(slog.NewTextHandler(&wrote, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		t.Cleanup(func() { _ = p.Close() })
		s := stacks{dir: `C:\envctl-suite`, separator: `\`, interpreter: "cmd",
			machine: func(layers ...guestproto.Layer) *envspec.Machine { return sandboxMachine(box, layers...) },
			check:   func(path string) []string { return command("if not exist " + path + " exit 1") },
			refuse: func(path string) []string {
				return command("echo " + providertest.CheckSays + "&type " + path + "&exit 1")
			},
			fails:   "echo %PASSWORD%\r\nexit 1\r\n",
			hangs:   "ping -n 600 127.0.0.1\r\n",
			fetched: func() *guestproto.Source { return fetched(t, p) },
		}
		t.Cleanup(func() { s.clear(t, p) })
		return &providertest.World{
			Provider: p, Instance: instance(), Stranger: stranger(),
			Single:  true,
			Observe: s.observe(p),
			Left:    func(_ context.Context, i providers.Instance) ([]string, error) { return onBox(t, box, i), nil },
			Wrote:   wrote.text,
			Nodes:   s.nodes(),
			Commands: providertest.Commands{
				Exit:  func(code int) []string { return command(fmt.Sprint("exit ", int32(uint32(code)))) },
				Codes: []int{0, 1, 3, 255, 3010, 0xC000013A},
				Say:   func(stdout, stderr string) []string { return command("echo " + stdout + "&echo " + stderr + ">&2") },
				Env:   func(name string) []string { return command("echo %" + name + "%") },
				Where: command("cd"), Folder: `C:\Program Files`,
				Cat:  []string{"findstr", "line"},
				Hang: []string{"ping", "-n", "600", "127.0.0.1"},
			},
		}
	}})
}

func command(line string) []string { return []string{"cmd.exe", "/d", "/c", line} }

// onBox lists what the helper and the layers put on the machine, with what stands in the manifest.
func onBox(t *testing.T, box *sandboxtest.Sandbox, i providers.Instance) []string {
	t.Helper()
	found := box.Exec(t, "sh", "-c", `find / -xdev \( -ipath '*/ProgramData/envctl*' -o -ipath '*/envctl-suite*' \) 2>/dev/null || true`)
	var left []string
	for path := range strings.Lines(found) {
		path = strings.TrimSpace(path)
		left = append(left, path)
		if !strings.HasSuffix(path, "/manifest.json") {
			continue
		}
		manifest := box.Exec(t, "cat", path)
		if !strings.Contains(manifest, strconv.Quote(i.ID)) {
			return nil // another instance has the machine
		}
		left = append(left, manifest)
	}
	return left
}

// clear takes away what a subtest left on the machine.
func (s stacks) clear(t *testing.T, p *Provider) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, i := range []providers.Instance{instance(), stranger()} {
		if _, err := p.Observe(ctx, i, []*envspec.Machine{s.machine()}); err != nil {
			t.Error(err)
		}
		if err := p.Remove(ctx, providers.Change{Action: providers.Delete, Instance: i, Node: providers.Node{Addr: pas}}, new(log).sink); err != nil {
			t.Error(err)
		}
	}
}

// logged is a log that several goroutines write to.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
