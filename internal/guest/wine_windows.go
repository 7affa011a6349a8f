package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// Wine's service manager starts every service with the variables that it has itself, whatever the
// service's Environment value says. So that a spec means the same in the sandbox, a service with
// variables of its own is started through the helper there: the service's command becomes
//
//	"…\envctl-guest.exe" run-service NAME COMMAND
//
// which starts COMMAND with them. The rest of the helper sees COMMAND alone.

// RunService is that argument of the helper.
const RunService = "run-service"

const runServiceMark = `" ` + RunService + ` `

// underWine reports whether this is Wine and not Windows.
func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// throughHelper puts the helper before a service's command, or takes it away. On Windows it does nothing.
func throughHelper(service *mgr.Service, on bool) error {
	if !underWine() {
		return nil
	}
	raw, err := readRawCommand(service)
	if err != nil {
		return err
	}
	command := withoutHelper(raw)
	if on {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		command = `"` + exe + runServiceMark + service.Name + " " + command
	}
	if command == raw {
		return nil
	}
	return writeConfig(service, serviceConfig{}, serviceConfig{Command: command}, nil)
}

func withoutHelper(command string) string {
	_, rest, ok := strings.Cut(command, runServiceMark)
	if !ok {
		return command
	}
	_, rest, _ = strings.Cut(rest, " ")
	return rest
}

// ServiceThroughHelper is what RunService does, with what follows it on the command line. It ends when
// the service does, with its exit code; the service ends when it does.
func ServiceThroughHelper() (int, error) {
	raw := windows.UTF16PtrToString(windows.GetCommandLine())
	_, rest, _ := strings.Cut(raw, runServiceMark)
	name, line, ok := strings.Cut(rest, " ")
	if !ok {
		return 1, errors.New("usage: envctl-guest run-service NAME COMMAND")
	}
	value, err := readServiceEnv(name)
	if err != nil {
		return 1, fmt.Errorf("read the variables of service %s: %w", name, err)
	}
	env := map[string]string{}
	for _, line := range envLines(value) {
		if i := strings.Index(line, "="); i > 0 {
			env[line[:i]] = line[i+1:]
		}
	}
	p, err := startProcess(command{line: line, env: env})
	if err != nil {
		return 1, err
	}
	var out tail
	code, err := p.run(context.Background(), &out, &out)
	return int(code), err
}
