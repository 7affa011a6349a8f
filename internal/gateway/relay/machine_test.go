package relay

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/nettest"
)

// testMachine is a plain SSH server over TCP that stands for a guest helper: direct-tcpip, tcpip-forward and global
// requests, on the loopback of this computer.
type testMachine struct {
	t    *testing.T
	addr string
	key  ssh.Signer
	boot atomic.Int64
	deaf atomic.Bool // answers no global request

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	open     sync.WaitGroup
}

func newTestMachine(t *testing.T) *testMachine {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	m := &testMachine{t: t, key: key, addr: "127.0.0.1:" + strconv.Itoa(nettest.FreePort(t)), conns: map[net.Conn]bool{}}
	t.Cleanup(m.stop)
	return m
}

// start boots the machine.
func (m *testMachine) start() {
	m.t.Helper()
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	m.boot.Add(1)
	m.mu.Lock()
	m.listener = l
	m.mu.Unlock()
	m.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.conns[c] = true
			m.mu.Unlock()
			m.open.Go(func() { m.serve(c) })
		}
	})
}

// stop takes the machine away with all that is connected to it.
func (m *testMachine) stop() {
	m.mu.Lock()
	if m.listener != nil {
		m.listener.Close()
		m.listener = nil
	}
	for c := range m.conns {
		c.Close()
	}
	m.conns = map[net.Conn]bool{}
	m.mu.Unlock()
	m.open.Wait()
}

func (m *testMachine) serve(c net.Conn) {
	defer c.Close()
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(m.key)
	conn, chans, reqs, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	listeners := map[string]net.Listener{}
	var open sync.WaitGroup
	defer open.Wait()
	defer conn.Close()
	open.Go(func() {
		for nc := range chans {
			open.Go(func() { m.direct(nc) })
		}
	})
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	for req := range reqs {
		var f struct {
			Addr string
			Port uint32
		}
		switch req.Type {
		case "tcpip-forward":
			if err := ssh.Unmarshal(req.Payload, &f); err != nil {
				req.Reply(false, nil)
				continue
			}
			at := net.JoinHostPort(f.Addr, fmt.Sprint(f.Port))
			l, err := net.Listen("tcp", at)
			if err != nil {
				req.Reply(false, []byte(err.Error()))
				continue
			}
			req.Reply(true, nil)
			listeners[at] = l
			open.Go(func() { m.forwarded(conn, l, f.Addr, f.Port, &open) })
		case "cancel-tcpip-forward":
			err := ssh.Unmarshal(req.Payload, &f)
			at := net.JoinHostPort(f.Addr, fmt.Sprint(f.Port))
			l, ok := listeners[at]
			if ok {
				l.Close()
				delete(listeners, at)
			}
			req.Reply(err == nil && ok, nil)
		default:
			if !m.deaf.Load() && req.WantReply {
				req.Reply(false, nil)
			}
		}
	}
}

func (m *testMachine) direct(nc ssh.NewChannel) {
	var p struct {
		Addr       string
		Port       uint32
		OriginAddr string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(nc.ExtraData(), &p); err != nil {
		nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	target, err := net.Dial("tcp", net.JoinHostPort(p.Addr, fmt.Sprint(p.Port)))
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		target.Close()
		return
	}
	go ssh.DiscardRequests(reqs)
	both(ch, target.(*net.TCPConn))
}

func (m *testMachine) forwarded(conn *ssh.ServerConn, l net.Listener, addr string, port uint32, open *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		from := c.RemoteAddr().(*net.TCPAddr)
		payload := ssh.Marshal(struct {
			Addr       string
			Port       uint32
			OriginAddr string
			OriginPort uint32
		}{addr, port, from.IP.String(), uint32(from.Port)})
		ch, reqs, err := conn.OpenChannel("forwarded-tcpip", payload)
		if err != nil {
			reset(c)
			continue
		}
		go ssh.DiscardRequests(reqs)
		open.Go(func() { both(ch, c.(*net.TCPConn)) })
	}
}

// both copies until both directions have ended, or one fails.
func both(ch ssh.Channel, c *net.TCPConn) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(ch, c); err != nil {
			ch.Close()
		}
		ch.CloseWrite()
	})
	wg.Go(func() {
		if _, err := io.Copy(c, ch); err != nil {
			ch.Close()
		}
		c.CloseWrite()
	})
	wg.Wait()
	ch.Close()
	c.Close()
}

// testLink is an SSH client over a TCP connection that notes its own end before the client does.
type testLink struct {
	*ssh.Client
	boot string
	conn *watchedConn
}

func (l *testLink) BootID() string { return l.boot }
func (l *testLink) Alive() bool    { return !l.conn.over.Load() }

type watchedConn struct {
	net.Conn
	over atomic.Bool
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.over.Store(true)
	}
	return n, err
}

func (c *watchedConn) Close() error { c.over.Store(true); return c.Conn.Close() }

// connect is a Connect to the machine.
func (m *testMachine) connect(ctx context.Context, to Machine) (Link, error) {
	if to.Password.Reveal() == "" {
		return nil, errors.New("no password came in")
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(to.Address, strconv.Itoa(to.Port)))
	if err != nil {
		return nil, err
	}
	conn := &watchedConn{Conn: raw}
	c, chans, reqs, err := ssh.NewClientConn(conn, m.addr, &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(m.key.PublicKey())})
	if err != nil {
		raw.Close()
		return nil, err
	}
	return &testLink{Client: ssh.NewClient(c, chans, reqs), boot: fmt.Sprint("boot-", m.boot.Load()), conn: conn}, nil
}
