package guest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/envctl/envctl/internal/guestproto"
)

// appKind keeps an ordinary program running: the helper is its Windows service, starts it, and starts
// it again when it ends. It has no desktop.
type appKind struct{}

// appSaved is what undo needs.
type appSaved struct {
	Service string `json:"service"`
	Dir     string `json:"dir"`
}

// errInteractive says that a session with a desktop is not to be had yet.
var errInteractive = errors.New(`session "interactive" needs a user who is logged on at the machine's desktop, which WinRM cannot give: use session = "service", or start the program there by hand`)

func appPlaces(m *Machine, name string) appSaved {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:4])
	return appSaved{Service: "envctl-" + serviceName(name) + "-" + id, Dir: filepath.Join(m.Dir, "apps", id)}
}

// serviceName leaves out what a service's name may not have.
func serviceName(name string) string {
	clean := []rune{}
	for _, r := range name {
		if r != '/' && r != '\\' && r != '"' && r > ' ' {
			clean = append(clean, r)
		}
	}
	return string(clean[:min(len(clean), 100)])
}

func (appKind) apply(ctx context.Context, s *step) error {
	a := s.layer.App
	if a.Session != "" && a.Session != "service" {
		if a.Session == "interactive" {
			return errInteractive
		}
		return fmt.Errorf("session %q: service or interactive", a.Session)
	}
	for _, arg := range a.Args {
		if arg.Sensitive {
			return errors.New("a sensitive value cannot be an argument, where every process on the machine can read it; hand it over with env")
		}
	}
	saved := appPlaces(s.machine, s.layer.Name)
	if err := s.save(saved); err != nil {
		return err
	}
	command, err := placeApp(s.machine, saved.Dir, a)
	if err != nil {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager: %w", err)
	}
	defer m.Disconnect()
	service, err := makeService(m, saved.Service, serviceConfig{
		Command: command, DisplayName: "envctl app " + s.layer.Name, StartType: mgr.StartAutomatic}, nil)
	if err != nil {
		return fmt.Errorf("make its service: %w", err)
	}
	defer service.Close()
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return startService(limit, service)
}

// placeApp writes what the service will run and gives the service's command. The helper goes with it:
// the one that runs now is another version's tomorrow.
func placeApp(m *Machine, dir string, a *guestproto.App) (string, error) {
	if err := makePrivateDir(dir); err != nil {
		return "", err
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if err := copyFile(exe, filepath.Join(dir, appHelper)); err != nil {
		return "", err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	if b, err = m.seal(b); err != nil {
		return "", err
	}
	if err := writeFileAtomic(filepath.Join(dir, appConfig), b); err != nil {
		return "", err
	}
	return appCommand(dir), nil
}

// What lies in an app's folder.
const (
	appHelper = "envctl-guest.exe"
	appConfig = "app.sealed"
)

// appCommand is what an app's service runs.
func appCommand(dir string) string {
	return fmt.Sprintf(`"%s" %s "%s"`, filepath.Join(dir, appHelper), RunApp, filepath.Join(dir, appConfig))
}

func (appKind) undo(ctx context.Context, s *step) error {
	var saved appSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager: %w", err)
	}
	defer m.Disconnect()
	service, err := m.OpenService(saved.Service)
	if err == nil {
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := deleteService(limit, m, service); err != nil {
			return err
		}
	} else if !errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return err
	}
	return removeTree(ctx, saved.Dir)
}

// removeTree removes a folder whose program has just ended: Windows may hold its file a moment longer.
func removeTree(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := os.RemoveAll(dir)
		if err == nil {
			os.Remove(filepath.Dir(dir)) // where it was the last
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func (appKind) observe(_ context.Context, s *step) (d drift, err error) {
	var saved appSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	m, err := mgr.Connect()
	if err != nil {
		return d, err
	}
	defer m.Disconnect()
	service, err := m.OpenService(saved.Service)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return drifted("its service is gone"), nil
	}
	if err != nil {
		return d, err
	}
	defer service.Close()
	is, err := readConfig(service)
	if err != nil {
		return d, err
	}
	want := is
	want.StartType, want.Delayed, want.Command = mgr.StartAutomatic, false, appCommand(saved.Dir)
	d.differences(want.parts(), is.parts())
	for _, p := range d.parts {
		d.say("its service's %s was changed", p.Name)
	}
	status, err := queryService(service)
	if err != nil {
		return d, err
	}
	if status.State != running {
		d.say("it is %s", stateName(status.State))
		d.part("state", stateName(running), stateName(status.State))
	}
	return d, nil
}
