package guest

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/envctl/envctl/internal/secret"
)

// serviceConfig is the part of a service's configuration that a layer can change. It is read and
// written here and not with mgr.Config, which asks for more than Wine's service manager knows, writes
// back all that it read, and quotes a command as if it were a path.
type serviceConfig struct {
	Command     string `json:"command"`
	DisplayName string `json:"display_name"`
	Account     string `json:"account"`
	StartType   uint32 `json:"start_type"`
	Delayed     bool   `json:"delayed,omitempty"`
}

// parts names what a plan may show of a configuration, as the spec does.
func (c serviceConfig) parts() map[string]string {
	startup, ok := map[uint32]string{mgr.StartAutomatic: "auto", mgr.StartManual: "manual", mgr.StartDisabled: "disabled"}[c.StartType]
	switch {
	case !ok:
		startup = fmt.Sprintf("start type %d", c.StartType)
	case c.Delayed:
		startup = "delayed"
	}
	return map[string]string{"command": c.Command, "display_name": c.DisplayName, "account": c.Account, "startup": startup}
}

func queryConfig(service *mgr.Service) (*windows.QUERY_SERVICE_CONFIG, error) {
	size := uint32(8 << 10) // the most that QueryServiceConfig gives
	buf := make([]byte, size)
	q := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buf[0]))
	if err := windows.QueryServiceConfig(service.Handle, q, size, &size); err != nil {
		return nil, fmt.Errorf("read its configuration: %w", err)
	}
	return q, nil
}

// readRawCommand gives the command as the service manager has it; see throughHelper.
func readRawCommand(service *mgr.Service) (string, error) {
	q, err := queryConfig(service)
	if err != nil {
		return "", err
	}
	return windows.UTF16PtrToString(q.BinaryPathName), nil
}

func readConfig(service *mgr.Service) (serviceConfig, error) {
	q, err := queryConfig(service)
	if err != nil {
		return serviceConfig{}, err
	}
	c := serviceConfig{
		Command:     withoutHelper(windows.UTF16PtrToString(q.BinaryPathName)),
		DisplayName: windows.UTF16PtrToString(q.DisplayName),
		Account:     windows.UTF16PtrToString(q.ServiceStartName),
		StartType:   q.StartType,
	}
	var delayed windows.SERVICE_DELAYED_AUTO_START_INFO
	n := uint32(unsafe.Sizeof(delayed))
	err = windows.QueryServiceConfig2(service.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&delayed)), n, &n)
	if err != nil && !errors.Is(err, windows.ERROR_INVALID_LEVEL) {
		return c, fmt.Errorf("read whether it starts delayed: %w", err)
	}
	c.Delayed = err == nil && delayed.IsDelayedAutoStartUp != 0
	return c, nil
}

// writeConfig changes what differs between is and want, and the password where one is given.
func writeConfig(service *mgr.Service, is, want serviceConfig, password *secret.Text) error {
	if is == want && password == nil {
		return nil
	}
	start := uint32(windows.SERVICE_NO_CHANGE)
	if want.StartType != is.StartType {
		start = want.StartType
	}
	var text [4]*uint16 // nil leaves it as it is
	for i, change := range []struct{ is, want string }{
		{is.Command, want.Command}, {is.Account, want.Account}, {is.DisplayName, want.DisplayName}, {"", reveal(password)},
	} {
		if change.is == change.want {
			continue
		}
		var err error
		if text[i], err = windows.UTF16PtrFromString(change.want); err != nil {
			return err
		}
	}
	if text[3] != nil && text[1] == nil { // a password needs its account beside it
		var err error
		if text[1], err = windows.UTF16PtrFromString(want.Account); err != nil {
			return err
		}
	}
	const same = windows.SERVICE_NO_CHANGE
	err := windows.ChangeServiceConfig(service.Handle, same, start, same, text[0], nil, nil, nil, text[1], text[3], text[2])
	if err != nil {
		return fmt.Errorf("change its configuration: %w", err)
	}
	if is.Delayed == want.Delayed {
		return nil
	}
	delayed := windows.SERVICE_DELAYED_AUTO_START_INFO{}
	if want.Delayed {
		delayed.IsDelayedAutoStartUp = 1
	}
	err = windows.ChangeServiceConfig2(service.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&delayed)))
	if err != nil {
		return fmt.Errorf("make it start delayed: %w", err)
	}
	return nil
}

// makeService makes a service with a command as it is written.
func makeService(m *mgr.Mgr, name string, c serviceConfig, password *secret.Text) (*mgr.Service, error) {
	var text [5]*uint16
	for i, s := range []string{name, c.DisplayName, c.Command, c.Account, reveal(password)} {
		if s == "" {
			continue
		}
		var err error
		if text[i], err = windows.UTF16PtrFromString(s); err != nil {
			return nil, err
		}
	}
	h, err := windows.CreateService(m.Handle, text[0], text[1], windows.SERVICE_ALL_ACCESS, windows.SERVICE_WIN32_OWN_PROCESS,
		c.StartType, windows.SERVICE_ERROR_NORMAL, text[2], nil, nil, nil, text[3], text[4])
	if err != nil {
		return nil, err
	}
	service := &mgr.Service{Name: name, Handle: h}
	made := c
	made.Delayed = false
	if err := writeConfig(service, made, c, nil); err != nil {
		service.Close()
		return nil, err
	}
	return service, nil
}

func reveal(t *secret.Text) string {
	if t == nil {
		return ""
	}
	return t.Reveal()
}
