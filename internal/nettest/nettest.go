// Package nettest has what tests need of this computer's network: a port that is free, and a server of their own.
package nettest

import (
	"net"
	"sync"
	"testing"
)

// FreePort gives a port of 127.0.0.1 that nothing listens at.
func FreePort(t testing.TB) int {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Serve does with each connection what do does, and closes it then, until the test ends. It gives the address, on 127.0.0.1.
func Serve(t testing.TB, do func(*net.TCPConn)) *net.TCPAddr {
	t.Helper()
	l := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				do(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
