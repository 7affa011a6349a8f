package windows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers/windows/remote"
	"github.com/envctl/envctl/providers/windows/winrm"
)

// New gives the provider. Nothing is connected yet; Close it after the last use.
func New(o Options) *Provider {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := newProvider(func(ctx context.Context, m *envspec.Machine, bootstrap bool, report event.Sink) (*conn, error) {
		return connect(ctx, o, m, bootstrap, report)
	})
	p.fetch = o.Fetch
	return p
}

// manifestThere is a word that the machine writes where it has a manifest, and how it is asked.
const (
	manifestThere = "envctl-manifest"
	askManifest   = `cmd.exe /d /c if exist "%ProgramData%\envctl\manifest.json" echo ` + manifestThere
)

func connect(ctx context.Context, o Options, m *envspec.Machine, bootstrap bool, report event.Sink) (*conn, error) {
	config, err := winrmConfig(m, o.Log)
	if err != nil {
		return nil, err
	}
	if n := config.Notice(); n != "" {
		report(event.Event{Type: event.Warning, Message: n})
	}
	gz, sum, err := o.Helper()
	if err != nil {
		return nil, err
	}
	to := remote.Machine{WinRM: config, HelperGzip: gz, HelperSHA256: sum, LookOnly: !bootstrap, Log: o.Log,
		Progress: func(sent, total int64) {
			report(event.Event{Type: event.Progress, Message: "bring the helper", Current: sent, Total: total})
		}}
	c, err := remote.Connect(ctx, to)
	if errors.Is(err, remote.ErrNoHelper) && !bootstrap {
		// Another version of envctl may have set the machine up with its own helper. Then this one's may come too:
		// without it nobody could say what is there.
		var ours bool
		if ours, err = hasManifest(ctx, config); err == nil && !ours {
			return nil, errNoHelper
		}
		if err == nil {
			to.LookOnly = false
			c, err = remote.Connect(ctx, to)
		}
	}
	if err != nil {
		return nil, err
	}
	return newConn(c.SSH(), c.Greeting(), c.Wait, c.Close), nil
}

func hasManifest(ctx context.Context, config winrm.Config) (bool, error) {
	client, err := winrm.New(config)
	if err != nil {
		return false, err
	}
	defer func() { _ = client.Close() }()
	r, err := client.Run(ctx, askManifest)
	if err != nil {
		return false, fmt.Errorf("look for a manifest: %w", err)
	}
	return strings.Contains(string(r.Stdout), manifestThere), nil
}

func winrmConfig(m *envspec.Machine, log *slog.Logger) (winrm.Config, error) {
	w := m.WinRM
	c := winrm.Config{
		Address: m.Address, Port: w.Port, HTTPS: w.HTTPS, User: w.User, Password: w.Password,
		Auth: w.Auth, Insecure: w.Insecure, Fingerprint: w.Fingerprint, Log: log,
	}
	if host, port, err := net.SplitHostPort(m.Address); err == nil && w.Port == 0 {
		if n, err := strconv.Atoi(port); err == nil {
			c.Address, c.Port = host, n
		}
	}
	pool, err := (&egress.Settings{CA: w.ExtraCA}).Pool()
	if err != nil {
		return c, err
	}
	c.Roots = pool
	if w.CAFile != "" {
		pem, err := os.ReadFile(w.CAFile)
		if err != nil {
			return c, fmt.Errorf("ca_file of %s: %w", m.Addr, err)
		}
		c.CAPEM = pem
	}
	return c, nil
}
