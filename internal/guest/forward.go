package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// dialTimeout bounds a connection to a port inside the machine.
const dialTimeout = 10 * time.Second

// tcpipOpen is what opens a direct-tcpip or a forwarded-tcpip channel: RFC 4254 section 7.2.
type tcpipOpen struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// tcpipForward asks for a listener, or for its end: RFC 4254 section 7.1.
type tcpipForward struct {
	Host string
	Port uint32
}

// forward is one listener in the machine: on 127.0.0.1, and where it could be had on ::1.
type forward struct {
	asked     tcpipForward // as the client wrote it, which its answers must repeat
	listeners []net.Listener
}

func (f *forward) close() {
	for _, l := range f.listeners {
		l.Close()
	}
}

// direct carries out a direct-tcpip channel.
func (s *server) direct(ctx context.Context, nc ssh.NewChannel) {
	var open tcpipOpen
	if err := ssh.Unmarshal(nc.ExtraData(), &open); err != nil {
		nc.Reject(ssh.ConnectionFailed, "malformed direct-tcpip request")
		return
	}
	conn, err := dialInside(ctx, open.Host, int(open.Port))
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := nc.Accept()
	if err != nil {
		conn.Close()
		return
	}
	s.wg.Go(func() { ssh.DiscardRequests(requests) })
	join(ctx, conn.(*net.TCPConn), channel)
}

// dialInside connects to a port of the machine. A program that listens on "localhost" may have
// taken either family, so this tries both.
func dialInside(ctx context.Context, host string, port int) (net.Conn, error) {
	hosts := []string{host}
	switch host {
	case "", "localhost", "127.0.0.1":
		hosts = []string{"127.0.0.1", "::1"}
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	var first error
	for _, h := range hosts {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(h, strconv.Itoa(port)))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// listen carries out tcpip-forward. On failure the answer's payload says why, which RFC 4254 leaves
// empty and every client ignores that does not look.
func (s *server) listen(ctx context.Context, payload []byte) (bool, []byte) {
	var ask tcpipForward
	if err := ssh.Unmarshal(payload, &ask); err != nil {
		return false, []byte("malformed tcpip-forward request")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.forwards[ask.key()]; taken && ask.Port != 0 {
		return false, []byte(fmt.Sprintf("port %d is forwarded by this session already", ask.Port))
	}
	f, err := newForward(ask)
	if err != nil {
		s.log.Warn("listen in the machine", "port", ask.Port, "err", err)
		return false, []byte(err.Error())
	}
	s.forwards[f.asked.key()] = f
	for _, l := range f.listeners {
		s.wg.Go(func() { s.accept(ctx, f, l) })
	}
	if ask.Port == 0 {
		return true, ssh.Marshal(struct{ Port uint32 }{f.asked.Port})
	}
	return true, nil
}

func (a tcpipForward) key() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// newForward listens on 127.0.0.1, and on ::1 where that can be had: a Windows program that dials
// "localhost" tries ::1 first, and Windows takes two seconds to believe a refusal.
func newForward(ask tcpipForward) (*forward, error) {
	host := ask.Host
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(ask.Port))))
	if err != nil {
		if holder := portHolder(int(ask.Port)); holder != "" {
			err = fmt.Errorf("%w: held by %s", err, holder)
		}
		return nil, err
	}
	f := &forward{asked: ask, listeners: []net.Listener{l}}
	f.asked.Port = uint32(l.Addr().(*net.TCPAddr).Port)
	if host == "127.0.0.1" {
		six, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(int(f.asked.Port))))
		if err == nil {
			f.listeners = append(f.listeners, six)
		}
	}
	return f, nil
}

func (s *server) cancelForward(payload []byte) bool {
	var ask tcpipForward
	if ssh.Unmarshal(payload, &ask) != nil {
		return false
	}
	s.mu.Lock()
	f := s.forwards[ask.key()]
	delete(s.forwards, ask.key())
	s.mu.Unlock()
	if f == nil {
		return false
	}
	f.close()
	return true
}

func (s *server) closeForwards() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.forwards {
		f.close()
	}
	clear(s.forwards)
}

// accept hands each connection to the client, until the listener is closed.
func (s *server) accept(ctx context.Context, f *forward, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Warn("accept in the machine", "port", f.asked.Port, "err", err)
			}
			return
		}
		s.wg.Go(func() { s.forwarded(ctx, f, conn.(*net.TCPConn)) })
	}
}

func (s *server) forwarded(ctx context.Context, f *forward, conn *net.TCPConn) {
	from := conn.RemoteAddr().(*net.TCPAddr)
	channel, requests, err := s.conn.OpenChannel("forwarded-tcpip", ssh.Marshal(tcpipOpen{
		Host: f.asked.Host, Port: f.asked.Port,
		OriginHost: from.IP.String(), OriginPort: uint32(from.Port),
	}))
	if err != nil {
		// A reset, and not an orderly end: whoever dialled learns that nothing answered.
		conn.SetLinger(0)
		conn.Close()
		return
	}
	s.wg.Go(func() { ssh.DiscardRequests(requests) })
	join(ctx, conn, channel)
}

// join copies both ways until both directions have ended. The end of one is passed on while the
// other goes on; SSH's window and TCP's hold back whoever writes faster than the other reads.
func join(ctx context.Context, conn *net.TCPConn, channel ssh.Channel) {
	defer conn.Close()
	defer channel.Close()
	defer context.AfterFunc(ctx, func() {
		conn.Close()
		channel.Close()
	})()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := io.Copy(channel, conn)
		if err != nil { // the program is gone: so is what it would still have read
			channel.Close()
			conn.Close()
			return
		}
		channel.CloseWrite()
	})
	wg.Go(func() {
		_, err := io.Copy(conn, channel)
		if err != nil {
			channel.Close()
			conn.Close()
			return
		}
		conn.CloseWrite()
	})
	wg.Wait()
}
