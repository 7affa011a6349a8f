package guest

import (
	"net"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/heard"
)

func TestSilentClientIsLeft(t *testing.T) {
	const limit = 200 * time.Millisecond
	here, there := net.Pipe()
	defer here.Close()
	c := &heardConn{Conn: there, last: heard.New()}
	go func() { // it reads until the pipe ends
		buf := make([]byte, 1)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}()
	ended := make(chan struct{})
	go c.endOnSilence(t.Context(), limit, func() { close(ended) })
	talk := time.NewTicker(limit / 20)
	defer talk.Stop()
	for began := time.Now(); time.Since(began) < 3*limit; <-talk.C {
		if _, err := here.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
			t.Fatal("a client that talks was left")
		default:
		}
	}
	select {
	case <-ended:
	case <-time.After(20 * limit):
		t.Fatal("a silent client was not left")
	}
	there.Close()
}
