package probe

import (
	"bytes"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve does with each connection what handle does, and gives the address.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestHowFarAConnectionGets(t *testing.T) {
	hangsUp := serve(t, func(c net.Conn) { _ = c.Close() })
	greets := serve(t, func(c net.Conn) { _, _ = c.Write([]byte("hello")); _ = c.Close() })
	waits := serve(t, func(c net.Conn) { t.Cleanup(func() { _ = c.Close() }) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	const hold = 200 * time.Millisecond
	tests := []struct {
		what   string
		target Target
		want   Reach
	}{
		{"hangs up", Target{Address: hangsUp}, Open},
		{"hangs up on who stays", Target{Address: hangsUp, Hold: 10 * time.Second}, Closed},
		{"greets and hangs up", Target{Address: greets, Hold: 10 * time.Second}, Open},
		{"waits for a request", Target{Address: waits, Hold: hold}, Open},
		{"nothing listens", Target{Address: nobody}, Refused},
		{"no such name", Target{Address: "nowhere.invalid:80"}, NoName},
	}
	var targets []Target
	for _, tt := range tests {
		targets = append(targets, tt.target)
	}
	command, err := Command(targets)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Main(t.Context(), command[1:], &out); err != nil {
		t.Fatal(err)
	}
	got, err := Parse(out.Bytes(), len(targets))
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		if got[i].Reach != tt.want || (got[i].Error == "") != (tt.want == Open) {
			t.Errorf("%s: %+v, want %s", tt.what, got[i], tt.want)
		}
	}
}
