package carrier

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var greeting = guestproto.Greeting{Version: guestproto.Version, HostKey: "ssh-ed25519 AAAA", BootID: "b1"}

// through is a writer that changes what passes.
type through struct {
	io.WriteCloser
	change func([]byte) []byte
}

func (t through) Write(p []byte) (int, error) {
	_, err := t.WriteCloser.Write(t.change(bytes.Clone(p)))
	return len(p), err
}

func same(b []byte) []byte { return b }

func join(t *testing.T, ctx context.Context, up, down func([]byte) []byte) (client, server *Conn) {
	t.Helper()
	upR, upW := io.Pipe()
	downR, downW := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		var err error
		if server, err = Server(ctx, upR, through{downW, down}, greeting); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	client, got, err := Client(ctx, downR, through{upW, up})
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	if got != greeting {
		t.Fatalf("greeting %+v, want %+v", got, greeting)
	}
	wg.Wait()
	return client, server
}

func TestEachDirectionTakesTheFormThatItCanCarry(t *testing.T) {
	crlf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }
	utf8only := func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) }
	noNUL := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, nil) }
	tests := []struct {
		name             string
		up, down         func([]byte) []byte
		upForm, downForm Form
	}{
		{"clean", same, same, Raw, Raw},
		{"stdout in text mode", same, crlf, Raw, Base64},
		{"stdin in text mode", crlf, same, Base64, Raw},
		{"both recoded", utf8only, utf8only, Base64, Base64},
		{"stdin loses NUL", noNUL, same, Base64, Raw},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, server := join(t, t.Context(), tt.up, tt.down)
			if in, out := client.Forms(); in != tt.downForm || out != tt.upForm {
				t.Errorf("client reads %s and writes %s, want %s and %s", in, out, tt.downForm, tt.upForm)
			}
			if in, out := server.Forms(); in != tt.upForm || out != tt.downForm {
				t.Errorf("server reads %s and writes %s, want %s and %s", in, out, tt.upForm, tt.downForm)
			}
			carries(t, client, server)
			carries(t, server, client)
			if err := errors.Join(client.Close(), server.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// carries sends a megabyte in writes of odd sizes, with every byte value in it.
func carries(t *testing.T, from, to *Conn) {
	t.Helper()
	want := make([]byte, 1<<20)
	_, _ = rand.Read(want)
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest, size := want, 1; len(rest) > 0; size = size*3 + 1 {
			n := min(size%200_001, len(rest))
			if _, err := from.Write(rest[:n]); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			rest = rest[n:]
		}
	})
	got := make([]byte, len(want))
	if _, err := io.ReadFull(to, got); err != nil {
		t.Errorf("read: %v", err)
	}
	wg.Wait()
	if !bytes.Equal(got, want) {
		t.Error("the bytes that arrived differ")
	}
}

func TestWhatIsNoHelperIsShown(t *testing.T) {
	for name, tt := range map[string]struct{ said, want string }{
		"a message": {"The system cannot find the path specified.\r\n", "cannot find the path"},
		"nothing":   {"", "stream ended"},
		"endless":   {strings.Repeat("x", 2*maxGreeting), "more than"},
		"newer":     {`{"version":99}` + "\n", "version 99"},
	} {
		t.Run(name, func(t *testing.T) {
			_, w := io.Pipe()
			_, _, err := Client(t.Context(), io.NopCloser(strings.NewReader(tt.said)), w)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if name != "newer" && !errors.Is(err, ErrNoGreeting) {
				t.Errorf("%v is not ErrNoGreeting", err)
			}
		})
	}
}

func TestASilentEndIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, _ := io.Pipe()
	_, w := io.Pipe()
	if _, _, err := Client(ctx, r, w); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("client: %v", err)
	}
	r2, _ := io.Pipe()
	_, w2 := io.Pipe()
	if _, err := Server(ctx, r2, w2, greeting); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("server: %v", err)
	}
}

func TestACorruptLineEndsTheStream(t *testing.T) {
	broken := false
	down := func(b []byte) []byte {
		if broken {
			return []byte("!!!\n")
		}
		return bytes.ReplaceAll(b, []byte{0xff}, []byte("?"))
	}
	client, server := join(t, t.Context(), same, down)
	broken = true
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = server.Write([]byte("hello")) })
	if _, err := client.Read(make([]byte, 10)); err == nil || !strings.Contains(err.Error(), "no base64") {
		t.Errorf("read: %v", err)
	}
	_ = client.Close()
	_ = server.Close()
	wg.Wait()
}
