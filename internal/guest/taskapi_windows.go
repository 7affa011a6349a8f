package guest

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// taskFolder is Task Scheduler's root folder, ITaskFolder (taskschd.h).
type taskFolder struct{ folder *comObject }

// The methods that are used, by their place after the seven of IUnknown and IDispatch.
const (
	schedulerGetFolder = 7 + 0
	schedulerConnect   = 7 + 3

	folderGetTask      = 7 + 6
	folderDeleteTask   = 7 + 8
	folderRegisterTask = 7 + 9

	taskRun    = 7 + 5
	taskGetXML = 7 + 13
	taskStop   = 7 + 16
)

var (
	clsidScheduler = windows.GUID{Data1: 0x0F87369F, Data2: 0xA4E5, Data3: 0x4CFC, Data4: [8]byte{0xBD, 0x3E, 0x73, 0xE6, 0x15, 0x45, 0x72, 0xDD}}
	iidScheduler   = windows.GUID{Data1: 0x2FABA4C7, Data2: 0x4DA9, Data3: 0x4013, Data4: [8]byte{0x96, 0x97, 0x20, 0xCC, 0x3F, 0xD4, 0x0F, 0x85}}
)

// variant is VARIANT (oaidl.h), empty or a string. A function that takes one by value takes, on 64-bit Windows,
// the address of a copy.
type variant struct {
	kind uint16
	_    [3]uint16
	text uintptr
	_    uintptr
}

func textVariant(s string) *variant { return &variant{kind: 8, text: newBSTR(s)} } // VT_BSTR

func (v *variant) free() { freeBSTR(v.text) }

// notRunning is SCHED_E_SERVICE_NOT_RUNNING.
const notRunning = comError(0x80041315)

// withTasks calls do with the root folder. Where Task Scheduler does not run, it is started.
func withTasks(ctx context.Context, do func(taskFolder) error) error {
	err := withRunningTasks(do)
	if !errors.Is(err, notRunning) {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager: %w", err)
	}
	defer m.Disconnect()
	service, err := m.OpenService("Schedule")
	if err != nil {
		return fmt.Errorf("start Task Scheduler: %w", err)
	}
	defer service.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := startService(ctx, service); err != nil {
		return fmt.Errorf("start Task Scheduler: %w", err)
	}
	return withRunningTasks(do)
}

func withRunningTasks(do func(taskFolder) error) error {
	return withCOM(&clsidScheduler, &iidScheduler, func(scheduler *comObject) error {
		var none variant
		err := scheduler.call(schedulerConnect, uintptr(unsafe.Pointer(&none)), uintptr(unsafe.Pointer(&none)),
			uintptr(unsafe.Pointer(&none)), uintptr(unsafe.Pointer(&none)))
		if err != nil {
			return err
		}
		folder, err := scheduler.item(schedulerGetFolder, `\`)
		if err != nil {
			return err
		}
		if folder == nil {
			return errNoInterface
		}
		defer folder.release()
		return do(taskFolder{folder})
	})
}

// get gives a task, or nil where there is none.
func (f taskFolder) get(name string) (*comObject, error) { return f.folder.item(folderGetTask, name) }

// definition gives a task's XML; "" where there is none.
func (f taskFolder) definition(name string) (string, error) {
	task, err := f.get(name)
	if task == nil {
		return "", err
	}
	defer task.release()
	return task.text(taskGetXML)
}

// register makes a task of its XML, or makes it anew. Without an account, the XML says as whom it runs.
func (f taskFolder) register(name, definition, account, password string) error {
	const createOrUpdate = 6              // TASK_CREATE_OR_UPDATE
	const logonNone, logonPassword = 0, 1 // TASK_LOGON_TYPE
	texts := [2]uintptr{newBSTR(name), newBSTR(definition)}
	defer freeBSTR(texts[0])
	defer freeBSTR(texts[1])
	user, word, logon := &variant{}, &variant{}, uintptr(logonNone)
	if account != "" {
		user, word, logon = textVariant(account), textVariant(password), logonPassword
		defer user.free()
		defer word.free()
	}
	var none variant
	var task *comObject
	err := f.folder.call(folderRegisterTask, texts[0], texts[1], createOrUpdate,
		uintptr(unsafe.Pointer(user)), uintptr(unsafe.Pointer(word)), logon, uintptr(unsafe.Pointer(&none)), uintptr(unsafe.Pointer(&task)))
	if err == nil && task != nil {
		task.release()
	}
	return err
}

// run starts a task, and does not wait for its end.
func (f taskFolder) run(name string) error {
	task, err := f.get(name)
	if task == nil {
		return err
	}
	defer task.release()
	var none variant
	var instance *comObject
	err = task.call(taskRun, uintptr(unsafe.Pointer(&none)), uintptr(unsafe.Pointer(&instance)))
	if err == nil && instance != nil {
		instance.release()
	}
	return err
}

// remove ends what runs of a task and takes it away; that it is not there is no error.
func (f taskFolder) remove(name string) error {
	task, err := f.get(name)
	if task == nil {
		return err
	}
	_ = task.call(taskStop, 0) // where nothing runs there is nothing to stop
	task.release()
	text := newBSTR(name)
	defer freeBSTR(text)
	return f.folder.call(folderDeleteTask, text, 0)
}
