package hostlink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/hostlink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestServeCarriesBothWaysAndPassesEndsOn(t *testing.T) {
	machine, relay := listen(t), listen(t)
	echoed := make(chan error, 1)
	go func() {
		c, err := machine.Accept()
		if err == nil {
			var all []byte
			if all, err = io.ReadAll(c); err == nil { // until the client's end came through
				_, err = c.Write(append([]byte("echo: "), all...))
			}
			c.Close()
		}
		echoed <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- hostlink.Serve(ctx, relay, machine.Addr().String()) }()

	c, err := net.Dial("tcp", relay.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || string(answer) != "echo: hello" {
		t.Errorf("answer %q, error %v", answer, err)
	}
	if err := <-echoed; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAMachineThatIsAwayIsAnErrorAtTheOtherEnd(t *testing.T) {
	away := listen(t)
	away.Close()
	relay := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- hostlink.Serve(ctx, relay, away.Addr().String()) }()
	c, err := net.Dial("tcp", relay.Addr().String())
	if err == nil { // else the reset came before the connection was ours
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v; want a reset", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
