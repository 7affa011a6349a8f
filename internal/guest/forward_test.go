package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/guestproto"
)

// echo answers each connection with what it was sent, after the sender has closed its side.
func echo(t *testing.T, l net.Listener) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				b, _ := io.ReadAll(conn)
				conn.Write(b)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// roundTrip sends, closes its side, and expects the same back.
func roundTrip(t *testing.T, conn net.Conn, size int) {
	t.Helper()
	defer conn.Close()
	data := bytes.Repeat([]byte{0, 1, 255, 10}, size/4)
	var wg sync.WaitGroup
	wg.Go(func() {
		conn.Write(data)
		conn.(halfCloser).CloseWrite()
	})
	got, err := io.ReadAll(conn)
	wg.Wait()
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back for %d: %v", len(got), len(data), err)
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestDirectForwardPassesOnTheEndOfOneSide(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	echo(t, l)
	c := dial(t, testMachine(t))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			conn, err := c.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			roundTrip(t, conn, 1<<20)
		})
	}
	wg.Wait()
}

func TestDirectForwardFindsAnIPv6Localhost(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no ::1:", err)
	}
	echo(t, l)
	conn, err := dial(t, testMachine(t)).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, conn, 1000)
}

func TestDirectForwardToNothingSaysSo(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	l.Close()
	_, err := dial(t, testMachine(t)).Dial("tcp", l.Addr().String())
	var open *ssh.OpenChannelError
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("dialled nothing: %v (%v)", err, open)
	}
}

func TestReverseForward(t *testing.T) {
	c := dial(t, testMachine(t))
	l, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, l)
	port := l.Addr().(*net.TCPAddr).Port
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, conn, 5<<20)
	l.Close()
	eventually(t, "the listener is gone", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	again, err := c.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal("the port cannot be had again:", err)
	}
	again.Close()
}

func TestReverseForwardOfATakenPortSaysWhy(t *testing.T) {
	taken := listen(t, "127.0.0.1:0")
	port := taken.Addr().(*net.TCPAddr).Port
	payload := ssh.Marshal(tcpipForward{"127.0.0.1", uint32(port)})
	ok, answer, err := dial(t, testMachine(t)).SendRequest("tcpip-forward", true, payload)
	if err != nil || ok || !strings.Contains(string(answer), fmt.Sprint(port)) {
		t.Errorf("ok %v, answer %q, err %v", ok, answer, err)
	}
}

func TestBackpressureHoldsTheWriter(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	written := make(chan int64, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		n, _ := io.Copy(conn, io.LimitReader(zeros{}, 1<<30))
		written <- n
	})
	conn, err := dial(t, testMachine(t)).Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if n := <-written; n > 64<<20 { // SSH's window and the kernel's buffers, and no more
		t.Errorf("%d bytes were taken that nobody read", n)
	}
	conn.Close()
	wg.Wait()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestCheck(t *testing.T) {
	status := http.StatusOK
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		io.WriteString(w, "the body")
	}))
	defer web.Close()
	port := web.Listener.Addr().(*net.TCPAddr).Port
	gone := listen(t, "127.0.0.1:0")
	gone.Close()
	c := dial(t, testMachine(t))
	for _, test := range []struct {
		name   string
		req    guestproto.CheckRequest
		ready  bool
		detail string
	}{
		{"tcp", guestproto.CheckRequest{TCPPort: port}, true, ""},
		{"tcp closed", guestproto.CheckRequest{TCPPort: gone.Addr().(*net.TCPAddr).Port}, false, "refused"},
		{"http", guestproto.CheckRequest{HTTP: &guestproto.HTTPCheck{Port: port, Path: "/health"}}, true, ""},
		{"http other status", guestproto.CheckRequest{HTTP: &guestproto.HTTPCheck{Port: port, Path: "health", Status: 204}}, false, "200 OK: the body"},
		{"http 404", guestproto.CheckRequest{HTTP: &guestproto.HTTPCheck{Port: port, Path: "/x"}}, false, "404"},
		{"nothing", guestproto.CheckRequest{}, false, "names no port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status = http.StatusOK
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			in, _ := json.Marshal(test.req)
			s.Stdin = bytes.NewReader(in)
			out, err := s.Output(guestproto.CommandCheck)
			if err != nil {
				t.Fatal(err)
			}
			var got guestproto.CheckResult
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if got.Ready != test.ready || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("%+v", got)
			}
		})
	}
}
