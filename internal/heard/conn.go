package heard

import (
	"context"
	"net"
	"time"
)

// Conn is a connection that notes when something came through it.
type Conn struct {
	net.Conn
	last *Mark
}

// On gives a Conn for which something came just now.
func On(c net.Conn) *Conn { return &Conn{Conn: c, last: New()} }

func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.last.Touch()
	}
	return n, err
}

// Watch calls end once nothing came for limit, and returns then or with ctx. One that was killed, or whose computer is
// gone, closes nothing, and what lies between may keep the connection for hours.
func (c *Conn) Watch(ctx context.Context, limit time.Duration, end func()) {
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
