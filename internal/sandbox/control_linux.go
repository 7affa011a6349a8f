package sandbox

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/envctl/envctl/internal/sandbox/winside"
)

// controlFile is winside.ControlFile as Linux sees it.
const controlFile = "/run/envctl/control.json"

// control is where the Windows side calls: runners for the command they are to run, and
// shutdown for a reboot.
type control struct {
	listener net.Listener
	token    string
	log      *slog.Logger
	power    func(winside.Hello) error

	mu      sync.Mutex
	waiting map[string]chan net.Conn
	wg      sync.WaitGroup
}

// listenControl opens the control port on loopback and says where it is in controlFile.
func listenControl(log *slog.Logger, power func(winside.Hello) error) (*control, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening the control port: %w", err)
	}
	c := &control{listener: l, token: rand.Text(), log: log, power: power, waiting: map[string]chan net.Conn{}}
	raw, err := json.Marshal(winside.Control{Address: l.Addr().String(), Token: c.token})
	if err == nil {
		err = os.MkdirAll(filepath.Dir(controlFile), 0o755)
	}
	if err == nil {
		err = os.WriteFile(controlFile, raw, 0o600)
	}
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("announcing the control port: %w", err)
	}
	c.wg.Go(c.accept)
	return c, nil
}

func (c *control) close() {
	_ = c.listener.Close()
	c.wg.Wait()
}

func (c *control) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		c.wg.Go(func() { c.serve(conn) })
	}
}

// helloTimeout bounds how long a connection may take to say what it wants.
const helloTimeout = 10 * time.Second

func (c *control) serve(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(helloTimeout))
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	var h winside.Hello
	if err != nil || json.Unmarshal(line, &h) != nil || h.Token != c.token {
		c.log.Warn("control: refused a connection")
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	if h.Do != "run" {
		defer conn.Close()
		if err := c.power(h); err != nil {
			fmt.Fprintln(conn, err)
			return
		}
		fmt.Fprintln(conn, "ok")
		return
	}
	c.mu.Lock()
	taker := c.waiting[h.ID]
	delete(c.waiting, h.ID)
	c.mu.Unlock()
	if taker == nil {
		_ = conn.Close()
		return
	}
	taker <- conn
}

// expect gives the channel on which the runner of that command will arrive, and how to stop waiting.
func (c *control) expect(id string) (<-chan net.Conn, context.CancelFunc) {
	ch := make(chan net.Conn, 1)
	c.mu.Lock()
	c.waiting[id] = ch
	c.mu.Unlock()
	return ch, func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		select {
		case conn := <-ch:
			_ = conn.Close()
		default:
		}
	}
}
