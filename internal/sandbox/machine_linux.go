package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"crypto/tls"

	"github.com/envctl/envctl/internal/sandbox/winside"
)

// winePrefix is where the image has its prepared prefix.
const winePrefix prefix = "/opt/envctl/prefix"

// machine is the sandbox as a machine that boots, serves and shuts down.
type machine struct {
	config Config
	tls    *tls.Config
	log    *slog.Logger

	mu     sync.Mutex
	timer  *time.Timer       // a shutdown or reboot that was asked for
	powers chan powerRequest // one place: what is to happen now
}

type powerRequest struct{ off bool }

// runMachine boots, serves until a reboot is asked for, and begins again, until the context ends
// or the machine is shut down.
func runMachine(ctx context.Context, c Config, log *slog.Logger) error {
	m := &machine{config: c, log: log, powers: make(chan powerRequest, 1)}
	var err error
	if m.tls, err = c.tls(); err != nil {
		return err
	}
	for {
		again, err := m.session(ctx)
		if err != nil || !again {
			return err
		}
		log.Info("rebooting")
	}
}

// session is the time from one boot to the next.
func (m *machine) session(ctx context.Context) (again bool, err error) {
	ctl, err := listenControl(m.log, m.power)
	if err != nil {
		return false, err
	}
	defer ctl.close()
	down, err := m.boot(ctx)
	if err != nil {
		return false, err
	}
	defer down()
	name, err := os.Hostname()
	if err != nil {
		return false, fmt.Errorf("reading the machine's name: %w", err)
	}
	server, err := NewServer(Options{
		User: m.config.User, Password: m.config.Password, AllowUnencrypted: m.config.AllowUnencrypted,
		Machine: name, Starter: &wine{drives: winePrefix, control: ctl}, Log: m.log,
	})
	if err != nil {
		return false, err
	}
	server.Shape.SetLatency(m.config.latency())
	server.Shape.SetBandwidth(m.config.Bandwidth)
	stop, failed, err := m.listen(server)
	if err != nil {
		return false, err
	}
	m.log.Info("ready", "http", m.config.HTTPPort, "https", m.config.HTTPSPort)
	select {
	case p := <-m.powers:
		again = !p.off
	case err = <-failed:
	case <-ctx.Done():
	}
	stop()
	server.CloseShells()
	return again, err
}

// listen serves both ports. stop drops every connection.
func (m *machine) listen(s *Server) (stop func(), failed <-chan error, err error) {
	plain, err := net.Listen("tcp", ":"+strconv.Itoa(m.config.HTTPPort))
	if err != nil {
		return nil, nil, fmt.Errorf("listening for HTTP: %w", err)
	}
	secure, err := net.Listen("tcp", ":"+strconv.Itoa(m.config.HTTPSPort))
	if err != nil {
		_ = plain.Close()
		return nil, nil, fmt.Errorf("listening for HTTPS: %w", err)
	}
	failures := make(chan error, 2)
	server := s.HTTPServer()
	server.ReadHeaderTimeout = time.Minute
	server.ErrorLog = slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)
	var wg sync.WaitGroup
	for _, l := range []net.Listener{plain, tls.NewListener(secure, m.tls)} {
		wg.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failures <- fmt.Errorf("serving WinRM: %w", err)
			}
		})
	}
	return func() {
		_ = server.Close()
		wg.Wait()
	}, failures, nil
}

// power takes what the Windows side's shutdown asks for.
func (m *machine) power(h winside.Hello) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch h.Do {
	case "abort":
		if m.timer == nil || !m.timer.Stop() {
			return errors.New("unable to abort the system shutdown because no shutdown was in progress (1116)")
		}
		m.timer = nil
		return nil
	case "reboot", "shutdown":
		if m.timer != nil {
			return errors.New("a system shutdown is already in progress (1115)")
		}
		m.timer = time.AfterFunc(time.Duration(h.Delay)*time.Second, func() {
			m.mu.Lock()
			m.timer = nil
			m.mu.Unlock()
			select {
			case m.powers <- powerRequest{off: h.Do == "shutdown"}:
			default: // the machine is going down already
			}
		})
		return nil
	}
	return fmt.Errorf("%q is not understood", h.Do)
}

// bootTimeout bounds the time from wineserver's start until the services have started.
const bootTimeout = 2 * time.Minute

// boot starts the prefix: a wineserver of its own (whose start is the boot time that Windows
// programs see) and what starts with the machine. down ends everything in it.
func (m *machine) boot(ctx context.Context) (down func(), err error) {
	if err := os.MkdirAll(os.Getenv("XDG_RUNTIME_DIR"), 0o700); err != nil {
		return nil, fmt.Errorf("making the runtime folder: %w", err)
	}
	server := exec.Command("wineserver", "--foreground", "--persistent")
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("starting wineserver: %w", err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = server.Wait() // it is ended by force
	}()
	down = func() {
		_ = exec.Command("wineserver", "--kill").Run() // fails where nothing runs any more
		_ = server.Process.Kill()
		<-gone
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	begun := time.Now()
	// Nothing is read from it: what it starts would keep a pipe open.
	if err := exec.CommandContext(ctx, wineLoader, "wineboot").Run(); err != nil {
		down()
		return nil, fmt.Errorf("booting the prefix: %w", err)
	}
	m.log.Info("booted", "took", time.Since(begun).Round(time.Millisecond))
	return down, nil
}
