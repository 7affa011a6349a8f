package guest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// startService starts the service and waits until it says that it runs.
func startService(ctx context.Context, service *mgr.Service) error {
	status, err := queryService(service)
	if err != nil {
		return err
	}
	if status.State == svc.StopPending {
		if _, err := awaitState(ctx, service, svc.Stopped); err != nil {
			return err
		}
		status.State = svc.Stopped
	}
	if status.State == svc.Stopped {
		err := service.Start()
		if err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return fmt.Errorf("start it: %w%s", err, startHint(err))
		}
	}
	status, err = awaitState(ctx, service, svc.Running)
	if err != nil {
		return err
	}
	if status.State != svc.Running {
		return fmt.Errorf("it ended while starting: %s; the Windows event log (Application, System) may say more", exitText(status))
	}
	return nil
}

// startHint explains the errors of a start that mean something else than they say.
func startHint(err error) string {
	switch {
	case errors.Is(err, windows.ERROR_SERVICE_REQUEST_TIMEOUT):
		return "; its program did not report to the service manager: it may not be made as a service, miss a DLL, or be for another architecture (an app layer runs an ordinary program as a service)"
	case errors.Is(err, windows.ERROR_SERVICE_LOGON_FAILED):
		return "; its account or password is wrong, or the account lacks the right to log on as a service"
	case errors.Is(err, windows.ERROR_SERVICE_DISABLED):
		return `; it is disabled: set startup = "auto" or "manual"`
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), errors.Is(err, windows.ERROR_PATH_NOT_FOUND):
		return "; its program is not where its command says"
	}
	return ""
}

// stopService stops what depends on the service and then the service, and waits for it.
func stopService(ctx context.Context, service *mgr.Service) error {
	status, err := queryService(service)
	if err != nil || status.State == svc.Stopped {
		return err
	}
	if err := stopDependents(ctx, service); err != nil {
		return err
	}
	if status.State == svc.StartPending { // one that starts cannot be stopped yet
		if status, err = awaitState(ctx, service, svc.Running); err != nil {
			return err
		}
	}
	if status.State != svc.StopPending && status.State != svc.Stopped {
		_, err = service.Control(svc.Stop)
		if err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
			return fmt.Errorf("stop it: %w", err)
		}
	}
	_, err = awaitState(ctx, service, svc.Stopped)
	return err
}

// queryService is Query, but for a service whose process is gone and whose manager has not noticed
// (Wine's never does).
func queryService(service *mgr.Service) (svc.Status, error) {
	status, err := service.Query()
	if err == nil && status.State != svc.Stopped && status.ProcessId != 0 && processGone(status.ProcessId) {
		status.State = svc.Stopped
	}
	return status, err
}

func processGone(pid uint32) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return errors.Is(err, windows.ERROR_INVALID_PARAMETER)
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == windows.WAIT_OBJECT_0
}

// stopOrEnd is stopService for undo: a service that does not stop in time, or hangs while it starts,
// has its process ended.
func stopOrEnd(ctx context.Context, service *mgr.Service) error {
	patience := stopLimit
	if status, err := queryService(service); err == nil && status.State == svc.StartPending {
		patience = hangLimit // it had its time to start in
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := stopService(limit, service)
	if err == nil || ctx.Err() != nil {
		return err
	}
	status, qerr := queryService(service)
	if qerr != nil || status.ProcessId == 0 {
		return err
	}
	process, oerr := windows.OpenProcess(windows.PROCESS_TERMINATE, false, status.ProcessId)
	if oerr != nil {
		return err
	}
	defer windows.CloseHandle(process)
	if windows.TerminateProcess(process, 1) != nil {
		return err
	}
	limit, cancel = context.WithTimeout(ctx, stopLimit)
	defer cancel()
	_, err = awaitState(limit, service, svc.Stopped)
	return err
}

// stopLimit is how long undo lets a service take to stop, and hangLimit one that is still starting.
const (
	stopLimit = 15 * time.Second
	hangLimit = 3 * time.Second
)

func stopDependents(ctx context.Context, service *mgr.Service) error {
	names, err := service.ListDependentServices(svc.Active)
	if err != nil || len(names) == 0 {
		return nil // a stop that fails for it will say so
	}
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	for _, name := range names {
		dependent, err := m.OpenService(name)
		if err != nil {
			continue
		}
		err = stopService(ctx, dependent)
		dependent.Close()
		if err != nil {
			return fmt.Errorf("stop %s, which depends on it: %w", name, err)
		}
	}
	return nil
}

// awaitState waits until the service is in the state, or has stopped, or ctx ends.
func awaitState(ctx context.Context, service *mgr.Service, want svc.State) (svc.Status, error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := queryService(service)
		if err != nil || status.State == want || status.State == svc.Stopped {
			return status, err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return status, fmt.Errorf("it is %s, not %s, after the time limit; raise timeout if it needs longer", stateName(status.State), stateName(want))
			}
			return status, ctx.Err()
		case <-ticker.C:
		}
	}
}

func deleteService(ctx context.Context, m *mgr.Mgr, service *mgr.Service) error {
	if err := stopOrEnd(ctx, service); err != nil {
		return err
	}
	name := service.Name
	if err := service.Delete(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return err
	}
	service.Close()
	// It is gone once nobody holds it open; until then one of its name cannot be made.
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		again, err := m.OpenService(name)
		if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) || errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
			return nil
		}
		if err == nil {
			again.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("service %s is marked for deletion, and something holds it open: close services.msc or what else shows it", name)
		case <-ticker.C:
		}
	}
}

func stateName(s svc.State) string {
	names := map[svc.State]string{svc.Stopped: "stopped", svc.StartPending: "starting", svc.StopPending: "stopping",
		svc.Running: "running", svc.ContinuePending: "continuing", svc.PausePending: "pausing", svc.Paused: "paused"}
	if n, ok := names[s]; ok {
		return n
	}
	return fmt.Sprintf("in state %d", s)
}

// exitText says how a service ended. 1066 means that it gave a code of its own.
func exitText(status svc.Status) string {
	if status.Win32ExitCode == uint32(windows.ERROR_SERVICE_SPECIFIC_ERROR) {
		return fmt.Sprintf("service-specific exit code %d", status.ServiceSpecificExitCode)
	}
	if status.Win32ExitCode == 0 {
		return "exit code 0"
	}
	return fmt.Sprintf("exit code %d (%v)", status.Win32ExitCode, windows.Errno(status.Win32ExitCode))
}

// readServiceEnv gives a service's own variables as they are kept: a multi_sz of NAME=value.
func readServiceEnv(name string) (*regValue, error) {
	k, err := serviceKey(name).open(registry.QUERY_VALUE)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	return readValue(k, "Environment")
}

func envLines(v *regValue) []string {
	if v == nil {
		return nil
	}
	return slices.DeleteFunc(strings.Split(wideText(v.Data), "\x00"), func(s string) bool { return s == "" })
}

// setServiceEnv puts the layer's variables among those that the service has, and says whether that
// changed anything.
func setServiceEnv(name string, before *regValue, l *guestproto.Service) (bool, error) {
	merged := slices.DeleteFunc(envLines(before), func(line string) bool {
		for n := range l.Env {
			if i := strings.Index(line, "="); i > 0 && strings.EqualFold(line[:i], n) {
				return true
			}
		}
		return false
	})
	for _, n := range slices.Sorted(maps.Keys(l.Env)) {
		merged = append(merged, n+"="+l.Env[n].Reveal())
	}
	if old := envLines(before); slices.Equal(slices.Sorted(slices.Values(old)), slices.Sorted(slices.Values(merged))) {
		return false, nil
	}
	items := make([]secret.Text, len(merged))
	for i, line := range merged {
		items[i] = secret.Plain(line)
	}
	v := multiSZ(items)
	return true, restoreServiceEnv(name, &v)
}

func restoreServiceEnv(name string, v *regValue) error {
	k, err := serviceKey(name).open(registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer k.Close()
	if v == nil {
		return deleteValue(k, "Environment")
	}
	return writeValue(k, "Environment", *v)
}
