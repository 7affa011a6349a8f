package remote

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/bootstrap"
	"github.com/envctl/envctl/internal/guest"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers/windows/winrm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a machine in this process: the sandbox's server, in which the guest's own SSH server runs
// where Wine would run the helper. Bootstrap's command is done by hand.
type box struct {
	t      testing.TB
	server *sandbox.Server
	// mangle changes what the helper writes; refuse makes the upload fail, block the helper's start.
	mangle        func([]byte) []byte
	refuse, block string

	mu        sync.Mutex
	installed bool
	uploads   int
	uploaded  []byte
	lines     []string
	serving   sync.WaitGroup
}

// The helper, as far as its content goes.
var helper = bytes.Repeat([]byte("envctl-guest, pretended. "), 40_000)

func helperGzip() []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	_, _ = w.Write(helper)
	_ = w.Close()
	return b.Bytes()
}

func helperSum() string {
	sum := sha256.Sum256(helper)
	return hex.EncodeToString(sum[:])
}

func newBox(t testing.TB) (*box, Machine) {
	t.Helper()
	b := &box{t: t}
	var err error
	if b.server, err = sandbox.NewServer(sandbox.Options{User: "u", Password: "p", Starter: b}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := b.server.HTTPServer()
	over := make(chan struct{})
	go func() { defer close(over); _ = hs.Serve(l) }()
	t.Cleanup(func() { b.server.CloseShells(); _ = hs.Close(); <-over; b.serving.Wait() })
	m := Machine{HelperGzip: helperGzip(), HelperSHA256: helperSum(), WinRM: winrm.Config{
		Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "u", Password: secret.Plain("p"),
	}}
	return b, m
}

// process is one command: what it runs works on these pipes, and ends with ctx.
type process struct {
	inR, outR, errR *io.PipeReader
	inW, outW, errW *io.PipeWriter
	done            chan struct{}
	code            uint32
	cancel          context.CancelFunc
}

func (b *box) Start(_ context.Context, spec sandbox.CommandSpec) (sandbox.Process, error) {
	b.mu.Lock()
	b.lines = append(b.lines, spec.Line)
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{done: make(chan struct{}), cancel: cancel}
	p.inR, p.inW = io.Pipe()
	p.outR, p.outW = io.Pipe()
	p.errR, p.errW = io.Pipe()
	b.serving.Go(func() {
		defer close(p.done)
		p.code = b.run(ctx, spec.Line, p)
		_ = p.outW.Close()
		_ = p.errW.Close()
	})
	return p, nil
}

func (p *process) Stdin() io.WriteCloser { return p.inW }
func (p *process) Stdout() io.ReadCloser { return p.outR }
func (p *process) Stderr() io.ReadCloser { return p.errR }
func (p *process) Wait() (uint32, error) { <-p.done; return p.code, nil }
func (p *process) Close()                {}
func (p *process) Kill() {
	p.cancel()
	for _, c := range []io.Closer{p.inR, p.outR, p.errR} {
		_ = c.Close()
	}
}

func (b *box) run(ctx context.Context, line string, p *process) uint32 {
	defer p.cancel()
	if line == bootstrap.Command() {
		return b.bootstrap(p)
	}
	b.mu.Lock()
	installed := b.installed
	b.mu.Unlock()
	want := `"%ProgramData%\envctl\bin\` + helperSum()[:16] + `\envctl-guest.exe" serve`
	switch {
	case line != want || !installed:
		_, _ = io.WriteString(p.errW, "The system cannot find the path specified.\r\n")
		return 1
	case b.block != "":
		_, _ = io.WriteString(p.errW, b.block)
		return 5
	}
	var out io.WriteCloser = p.outW
	if b.mangle != nil {
		out = mangler{p.outW, b.mangle}
	}
	if err := guest.Serve(ctx, &guest.Machine{Dir: `C:\ProgramData\envctl`, BootID: "boot-1"}, p.inR, out, slog.New(slog.DiscardHandler)); err != nil {
		fmt.Fprintln(p.errW, err)
		return 1
	}
	return 0
}

type mangler struct {
	io.WriteCloser
	change func([]byte) []byte
}

func (m mangler) Write(p []byte) (int, error) {
	if _, err := m.WriteCloser.Write(m.change(bytes.Clone(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (b *box) bootstrap(p *process) uint32 {
	if b.refuse != "" {
		_, _ = io.WriteString(p.errW, b.refuse)
		return 9009
	}
	r := bufio.NewReaderSize(p.inR, 128<<10)
	header, _ := r.ReadString('\n')
	sum, _, _ := strings.Cut(header, " ")
	fmt.Fprintf(p.outW, "need %s\r\n", sum)
	var packed []byte
	for {
		line, err := r.ReadString('\n')
		if line = strings.TrimSpace(line); line == bootstrap.End || err != nil {
			break
		}
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return 1
		}
		packed = append(packed, data...)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uploaded, _ = io.ReadAll(z)
	b.uploads++
	b.installed = true
	fmt.Fprintf(p.outW, "ok %s\r\n", sum)
	return 0
}

// connect connects, and ends the connection with the test.
func connectTo(t testing.TB, m Machine) *Conn {
	t.Helper()
	c, err := Connect(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// valve is a TCP proxy that can stop to carry anything, as a network does that is gone.
type valve struct {
	port int
	shut chan struct{}
}

func newValve(t testing.TB, to int) *valve {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{port: l.Addr().(*net.TCPAddr).Port, shut: make(chan struct{})}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	carry := func(a, b net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := a.Read(buf)
			select {
			case <-v.shut:
				return
			default:
			}
			if err != nil {
				_ = b.Close()
				return
			}
			if _, err := b.Write(buf[:n]); err != nil {
				_ = a.Close()
				return
			}
		}
	}
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", to), time.Second)
			if err != nil {
				_ = a.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, a, b)
			mu.Unlock()
			wg.Go(func() { carry(a, b) })
			wg.Go(func() { carry(b, a) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return v
}
