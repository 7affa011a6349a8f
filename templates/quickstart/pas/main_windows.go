package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"

	"github.com/envctl/envctl/templates/quickstart/pas/practice"
)

const (
	serviceName = "PasSvc"
	registryKey = `SOFTWARE\PAS`
)

func dataFolder() string { return filepath.Join(os.Getenv("ProgramData"), "PAS") }

// settings reads the registry and the secret file. Values may be strings or numbers.
func settings() (practice.Config, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, registryKey, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return practice.Config{}, fmt.Errorf(`open HKLM\%s: %w`, registryKey, err)
	}
	defer key.Close()
	var cfg practice.Config
	for name, to := range map[string]*string{"DbHost": &cfg.DbHost, "DbPort": &cfg.DbPort, "DbName": &cfg.DbName, "DbUser": &cfg.DbUser, "Clinic": &cfg.Clinic} {
		if *to, err = stringValue(key, name); err != nil {
			return practice.Config{}, fmt.Errorf(`read HKLM\%s, value %s: %w`, registryKey, name, err)
		}
	}
	cfg.Password, err = readSecret(filepath.Join(dataFolder(), "db.secret"))
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil // a database may ask for none
	}
	return cfg, err
}

// stringValue reads a REG_SZ, REG_DWORD or REG_QWORD; a value that is not there is "".
func stringValue(key registry.Key, name string) (string, error) {
	s, _, err := key.GetStringValue(name)
	if errors.Is(err, registry.ErrUnexpectedType) {
		n, _, err := key.GetIntegerValue(name)
		return strconv.FormatUint(n, 10), err
	}
	if errors.Is(err, registry.ErrNotExist) {
		return "", nil
	}
	return s, err
}

func runService() error { return svc.Run(serviceName, service{}) }

type service struct{}

// Execute is what the service manager calls; it returns once the service has stopped.
func (service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, exitCode uint32) {
	status <- svc.Status{State: svc.StartPending}
	log, closeLog := openLog()
	defer closeLog()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listening := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, log, func() { close(listening) }) }()

	for {
		select {
		case <-listening:
			listening = nil
			status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
		case err := <-ended:
			if err != nil {
				log.Error("ended", "error", err)
				return true, 1
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				cancel()
			}
		}
	}
}

// openLog gives a log that goes to Windows' event log, or nowhere: a log is no reason not to run. A file
// would stay behind when the product is removed.
func openLog() (*slog.Logger, func()) {
	events, err := eventlog.Open(serviceName)
	if err != nil {
		return slog.New(slog.DiscardHandler), func() {}
	}
	return slog.New(slog.NewTextHandler(eventWriter{events}, nil)), func() { events.Close() }
}

// eventWriter makes each line that a handler writes an event.
type eventWriter struct{ events *eventlog.Log }

func (w eventWriter) Write(line []byte) (int, error) {
	if err := w.events.Info(1, strings.TrimSpace(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}
