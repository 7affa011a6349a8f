package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows/svc"

	"github.com/envctl/envctl/internal/guestproto"
)

// RunApp is the helper's argument with which the service manager starts it for an app layer; the
// sealed description follows it.
const RunApp = "run-app"

const running = svc.Running

// restartDelay is how long an app that ended waits for its next start; it doubles up to restartMax
// while the app does not stay up for as long.
const (
	restartDelay = time.Second
	restartMax   = time.Minute
)

// ServeApp runs an app as a Windows service until it is told to stop.
func ServeApp(config string) error {
	sealed, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	b, err := unseal(sealed)
	if err != nil {
		return fmt.Errorf("unseal %s: %w", config, err)
	}
	var a guestproto.App
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(config), "app.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	return svc.Run("", appService{a, log})
}

// appService is the app as the service manager sees it.
type appService struct {
	app guestproto.App
	log io.Writer
}

// Execute implements svc.Handler.
func (s appService) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.keepRunning(ctx)
	}()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for r := range requests {
		switch r.Cmd {
		case svc.Interrogate:
			status <- r.CurrentStatus
		case svc.Stop, svc.Shutdown:
			status <- svc.Status{State: svc.StopPending}
			cancel()
			<-ended
			return false, 0
		}
	}
	return false, 0
}

func (s appService) keepRunning(ctx context.Context) {
	args := []string{s.app.Command}
	for _, a := range s.app.Args {
		args = append(args, a.Reveal())
	}
	env := map[string]string{}
	for name, value := range s.app.Env {
		env[name] = value.Reveal()
	}
	for delay := restartDelay; ctx.Err() == nil; delay = min(2*delay, restartMax) {
		began := time.Now()
		p, err := startProcess(command{line: quoteArgs(args), env: env, dir: s.app.WorkingDir})
		if err == nil {
			var code uint32
			code, err = p.run(ctx, s.log, s.log)
			fmt.Fprintf(s.log, "envctl: ended with exit code %d\r\n", code)
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(s.log, "envctl: %v\r\n", err)
		}
		if time.Since(began) > restartMax {
			delay = restartDelay
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}
