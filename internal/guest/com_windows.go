package guest

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// errNoInterface says that this Windows does not have an interface, or has it and does nothing (Wine).
var errNoInterface = errors.New("no such interface")

// comObject is what every COM object begins with: a pointer to its methods, in the order of its interface.
type comObject struct{ methods *[64]uintptr }

// comRelease is the place of IUnknown's Release.
const comRelease = 2

// enterCOM makes this thread ready for COM until what it gives is called.
func enterCOM() (leave func()) {
	runtime.LockOSThread()
	err := windows.CoInitializeEx(0, windows.COINIT_MULTITHREADED)
	return func() {
		if err == nil || errors.Is(err, syscall.Errno(1)) { // S_FALSE: it was
			windows.CoUninitialize()
		}
		runtime.UnlockOSThread()
	}
}

// withCOM calls do with an object of a class, on a thread that is ready for it.
func withCOM(class, iface *windows.GUID, do func(*comObject) error) error {
	defer enterCOM()()
	o, err := comCreate(class, iface)
	if err != nil {
		return err
	}
	defer o.release()
	return do(o)
}

func comCreate(class, iface *windows.GUID) (*comObject, error) {
	var o *comObject
	const inProcess = 1 // CLSCTX_INPROC_SERVER
	r, _, _ := procCoCreateInstance.Call(uintptr(unsafe.Pointer(class)), 0, inProcess, uintptr(unsafe.Pointer(iface)), uintptr(unsafe.Pointer(&o)))
	if err := hresult(r); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errNoInterface
	}
	return o, nil
}

// call calls a method. What the arguments point at stays where it is meanwhile.
//
//go:uintptrescapes
func (o *comObject) call(method int, args ...uintptr) error {
	r, _, _ := syscall.SyscallN(o.methods[method], append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)...)
	return hresult(r)
}

// item calls a method that gives the object of a name; nil where there is none.
func (o *comObject) item(method int, name string) (*comObject, error) {
	text := newBSTR(name)
	defer freeBSTR(text)
	var item *comObject
	err := o.call(method, text, uintptr(unsafe.Pointer(&item)))
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND):
		return nil, nil
	case err != nil:
		return nil, err
	case item == nil:
		return nil, errNoInterface
	}
	return item, nil
}

// text calls a method that gives a string.
func (o *comObject) text(method int) (string, error) {
	var text *uint16
	if err := o.call(method, uintptr(unsafe.Pointer(&text))); err != nil {
		return "", err
	}
	defer freeBSTR(uintptr(unsafe.Pointer(text)))
	return windows.UTF16PtrToString(text), nil
}

func (o *comObject) release() { syscall.SyscallN(o.methods[comRelease], uintptr(unsafe.Pointer(o))) }

// hresult makes an error of an HRESULT; one that says that the interface is missing is errNoInterface.
func hresult(r uintptr) error {
	code := uint32(r)
	switch {
	case int32(code) >= 0:
		return nil
	case code == 0x80004001, code == 0x80040154, code == 0x80004002: // E_NOTIMPL, REGDB_E_CLASSNOTREG, E_NOINTERFACE
		return errNoInterface
	case code>>16 == 0x8007: // a Windows error
		return windows.Errno(code & 0xFFFF)
	}
	return comError(code)
}

// comError is an HRESULT that is no error of Windows' own.
type comError uint32

func (e comError) Error() string { return fmt.Sprintf("error %#x", uint32(e)) }

func newBSTR(s string) uintptr {
	text, err := windows.UTF16PtrFromString(s)
	if err != nil {
		return 0
	}
	r, _, _ := procSysAllocString.Call(uintptr(unsafe.Pointer(text)))
	return r
}

func freeBSTR(b uintptr) { procSysFreeString.Call(b) }
