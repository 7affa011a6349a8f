package guest

import (
	"context"
	"net"
	"time"

	"github.com/envctl/envctl/internal/heard"
)

// silenceLimit is how long a client that sends keepalives may say nothing. It is longer than the client itself
// waits for an answer, so whoever is silent for so long has given this connection up already.
const silenceLimit = 20 * time.Second

// heardConn notes when something came.
type heardConn struct {
	net.Conn
	last *heard.Mark
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Touch()
	}
	return n, err
}

// endOnSilence calls end once nothing came for limit. A client that was killed, or whose computer is gone, does not
// close the pipes: WinRM keeps them for as long as the shell may be idle, which is hours, and until then the ports
// that this helper listens on would be nobody else's.
func (c *heardConn) endOnSilence(ctx context.Context, limit time.Duration, end func()) {
	tick := time.NewTicker(limit / 8)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if c.last.Silence() > limit {
				end()
				return
			}
		}
	}
}
