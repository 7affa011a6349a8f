package guest

import (
	"context"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
)

// envKind sets one machine-wide variable. Programs see it that start from then on; services, whose
// manager reads these variables when Windows starts, see it after the next start of the machine, which
// is why a service layer has an env of its own.
type envKind struct{}

func machineEnv(l guestproto.Layer) (regPath, map[string]regValue) {
	value := l.Env.Value.Reveal()
	kind := uint32(registry.SZ)
	if strings.Contains(value, "%") {
		kind = registry.EXPAND_SZ
	}
	p := regPath{root: registry.LOCAL_MACHINE, path: machineEnvironment, view: registry.WOW64_64KEY}
	return p, map[string]regValue{l.Name: {kind, utf16z(value)}}
}

func (envKind) apply(_ context.Context, s *step) error {
	p, values := machineEnv(s.layer)
	if err := p.set(values, func(saved registrySaved) error { return s.save(saved) }); err != nil {
		return err
	}
	announceEnvironment()
	return nil
}

func (envKind) undo(_ context.Context, s *step) error {
	var saved registrySaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	p, _ := machineEnv(s.layer)
	if err := p.restore(saved); err != nil {
		return err
	}
	announceEnvironment()
	return nil
}

func (envKind) observe(_ context.Context, s *step) (drift, error) {
	p, values := machineEnv(s.layer)
	return p.differs(values, func(string) (string, bool) { return "value", s.layer.Env.Value.Sensitive })
}

// announceEnvironment tells the desktop's programs to read the variables again. Nobody may be there.
func announceEnvironment() {
	const broadcast, settingChange, abortIfHung = 0xFFFF, 0x001A, 0x0002
	what, err := windows.UTF16PtrFromString("Environment")
	if err != nil || procSendMessageTimeout.Find() != nil {
		return
	}
	procSendMessageTimeout.Call(broadcast, settingChange, 0, uintptr(unsafe.Pointer(what)), abortIfHung, 1000, 0)
}
