package probe

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHowFarAConnectionGets(t *testing.T) {
	hangsUp := nettest.Serve(t, func(*net.TCPConn) {}).String()
	greets := nettest.Serve(t, func(c *net.TCPConn) { _, _ = c.Write([]byte("hello")) }).String()
	waits := nettest.Serve(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }).String()
	nobody := fmt.Sprintf("127.0.0.1:%d", nettest.FreePort(t))
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
