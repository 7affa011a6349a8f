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
)

// serviceKind sets up a service that a layer below brought, or makes one.
type serviceKind struct{}

// serviceSaved is what undo needs.
type serviceSaved struct {
	Made    bool          `json:"made,omitempty"` // the layer made the service
	Config  serviceConfig `json:"config"`
	Running bool          `json:"running,omitempty"`
	Env     *regValue     `json:"env,omitempty"`
}

// wanted is the configuration after the layer.
func (c serviceConfig) wanted(l *guestproto.Service) (serviceConfig, error) {
	if l.Command != "" {
		c.Command = l.Command
	}
	if l.DisplayName != "" {
		c.DisplayName = l.DisplayName
	}
	if l.Account != "" {
		c.Account = accountName(l.Account)
	}
	if l.Startup != "" {
		start, ok := map[string]uint32{"auto": mgr.StartAutomatic, "delayed": mgr.StartAutomatic,
			"manual": mgr.StartManual, "disabled": mgr.StartDisabled}[l.Startup]
		if !ok {
			return c, fmt.Errorf("startup %q: auto, delayed, manual or disabled", l.Startup)
		}
		c.StartType, c.Delayed = start, l.Startup == "delayed"
	}
	return c, nil
}

// accountName says that a bare name is an account of this machine, as the service manager wants it.
func accountName(name string) string {
	switch strings.ToLower(name) {
	case "localsystem", "localservice", "networkservice":
		if strings.EqualFold(name, "localsystem") {
			return name
		}
		return `NT AUTHORITY\` + name
	}
	if strings.ContainsAny(name, `\@`) {
		return name
	}
	return `.\` + name
}

func (serviceKind) apply(ctx context.Context, s *step) error {
	l := s.layer.Service
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager: %w", err)
	}
	defer m.Disconnect()
	service, made, err := openOrMake(m, s)
	if err != nil {
		return err
	}
	defer service.Close()
	config, err := readConfig(service)
	if err != nil {
		return err
	}
	status, err := queryService(service)
	if err != nil {
		return err
	}
	env, err := readServiceEnv(s.layer.Name)
	if err != nil {
		return err
	}
	saved := serviceSaved{Made: made, Config: config, Running: status.State != svc.Stopped, Env: env}
	if !made { // one that was made has saved so before it was
		if err := s.save(saved); err != nil {
			return err
		}
	}
	want, err := saved.Config.wanted(l)
	if err != nil {
		return err
	}
	changed := false
	if want != saved.Config || l.Password != nil {
		if err := writeConfig(service, saved.Config, want, l.Password); err != nil {
			return err
		}
		changed = want.Command != saved.Config.Command || want.Account != saved.Config.Account || l.Password != nil
	}
	if len(l.Env) > 0 {
		envChanged, err := setServiceEnv(s.layer.Name, env, l)
		if err != nil {
			return fmt.Errorf("set its environment: %w", err)
		}
		if err := throughHelper(service, true); err != nil {
			return err
		}
		changed = changed || envChanged
	}
	return reach(ctx, service, l, saved.Running, changed)
}

// openOrMake opens the service; where it is missing and the layer says what it runs, it makes it.
func openOrMake(m *mgr.Mgr, s *step) (service *mgr.Service, made bool, err error) {
	l, name := s.layer.Service, s.layer.Name
	service, err = m.OpenService(name)
	if err == nil {
		return service, false, nil
	}
	if !errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil, false, err
	}
	if l.Command == "" {
		return nil, false, fmt.Errorf("there is no service %q%s; put the package that brings it in a layer before, or give command", name, similar(m, name))
	}
	want, err := serviceConfig{StartType: mgr.StartManual, DisplayName: name}.wanted(l)
	if err != nil {
		return nil, false, err
	}
	if err := s.save(serviceSaved{Made: true}); err != nil {
		return nil, false, err
	}
	service, err = makeService(m, name, want, l.Password)
	if err != nil {
		return nil, false, fmt.Errorf("make it: %w", err)
	}
	return service, true, nil
}

// similar names a few services that the writer may have meant.
func similar(m *mgr.Mgr, name string) string {
	all, err := m.ListServices()
	if err != nil {
		return ""
	}
	prefix := strings.ToLower(name[:min(3, len(name))])
	near := slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(strings.ToLower(s), prefix) })
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf(" (there is %s)", strings.Join(near[:min(5, len(near))], ", "))
}

// reach brings the service to the state that the layer wants, and restarts one that runs where what
// changed is read at its start only.
func reach(ctx context.Context, service *mgr.Service, l *guestproto.Service, running, changed bool) error {
	limit := time.Minute
	if l.Timeout > 0 {
		limit = time.Duration(l.Timeout) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch {
	case l.State == "stopped":
		return stopService(ctx, service)
	case l.State != "running" && l.State != "":
		return fmt.Errorf("state %q: running or stopped", l.State)
	case l.State == "" && !(running && changed):
		return nil
	}
	if running && changed {
		if err := stopService(ctx, service); err != nil {
			return err
		}
	}
	return startService(ctx, service)
}

func (serviceKind) undo(ctx context.Context, s *step) error {
	var saved serviceSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager: %w", err)
	}
	defer m.Disconnect()
	service, err := m.OpenService(s.layer.Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil
	}
	if err != nil {
		return err
	}
	defer service.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if saved.Made {
		return deleteService(ctx, m, service)
	}
	config, err := readConfig(service)
	if err != nil {
		return err
	}
	if err := writeConfig(service, config, saved.Config, nil); err != nil {
		return err
	}
	env, err := readServiceEnv(s.layer.Name)
	if err != nil {
		return err
	}
	same := slices.Equal(envLines(env), envLines(saved.Env)) && config.Command == saved.Config.Command && config.Account == saved.Config.Account
	if err := restoreServiceEnv(s.layer.Name, saved.Env); err != nil {
		return err
	}
	if err := throughHelper(service, len(envLines(saved.Env)) > 0); err != nil {
		return err
	}
	if !saved.Running || !same {
		if err := stopOrEnd(ctx, service); err != nil || !saved.Running {
			return err
		}
	}
	return startService(ctx, service)
}

func (serviceKind) observe(_ context.Context, s *step) (d drift, err error) {
	l := s.layer.Service
	m, err := mgr.Connect()
	if err != nil {
		return d, err
	}
	defer m.Disconnect()
	service, err := m.OpenService(s.layer.Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return drifted("the service is gone"), nil
	}
	if err != nil {
		return d, err
	}
	defer service.Close()
	is, err := readConfig(service)
	if err != nil {
		return d, err
	}
	want, err := is.wanted(l)
	if err != nil {
		return d, err
	}
	d.differences(want.parts(), is.parts())
	for _, p := range d.parts {
		d.say("its %s was changed", p.Name)
	}
	status, err := queryService(service)
	if err != nil {
		return d, err
	}
	if l.State == "running" && status.State != svc.Running || l.State == "stopped" && status.State != svc.Stopped {
		d.say("it is %s", stateName(status.State))
		d.part("state", l.State, stateName(status.State))
	}
	env, err := readServiceEnv(s.layer.Name)
	if err != nil {
		return d, err
	}
	variables := serviceVariables(env)
	for _, name := range slices.Sorted(maps.Keys(l.Env)) {
		want := l.Env[name]
		is, there := variables[strings.ToUpper(name)]
		switch {
		case there && is == want.Reveal():
			continue
		case want.Sensitive:
			d.hidden("env."+name, !there)
		default:
			d.part("env."+name, shownWhere(want.Reveal(), true), shownWhere(is, there))
		}
		d.say("its variable %s was changed", name)
	}
	return d, nil
}

// serviceVariables has a service's variables by name in upper case, as Windows compares them.
func serviceVariables(env *regValue) map[string]string {
	variables := map[string]string{}
	for _, line := range envLines(env) {
		if name, value, ok := strings.Cut(line, "="); ok {
			variables[strings.ToUpper(name)] = value
		}
	}
	return variables
}

// serviceKey is where the service manager keeps a service.
func serviceKey(name string) regPath {
	return regPath{root: registry.LOCAL_MACHINE, path: `SYSTEM\CurrentControlSet\Services\` + name, view: registry.WOW64_64KEY}
}
