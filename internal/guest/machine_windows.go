package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// private lets SYSTEM and Administrators in, and nobody else; nothing is inherited from above.
const private = "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

// NewMachine gives the machine that the helper runs on.
func NewMachine() (*Machine, error) {
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DEFAULT)
	if err != nil {
		return nil, fmt.Errorf("find ProgramData: %w", err)
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	m := &Machine{
		Dir: filepath.Join(data, "envctl"), BootID: boot, kinds: windowsKinds(),
		seal: seal, unseal: unseal, restart: restart, now: time.Now,
	}
	// Where the program was uploaded to, the folder was made by whatever Windows gives by default.
	if _, err := os.Stat(m.Dir); err == nil {
		return m, makePrivateDir(m.Dir)
	}
	return m, nil
}

// systemTimeOfDay is SYSTEM_TIMEOFDAY_INFORMATION as ntexapi.h has it; winternl.h hides its members.
type systemTimeOfDay struct {
	BootTime      int64
	CurrentTime   int64
	TimeZoneBias  int64
	TimeZoneID    uint32
	Reserved      uint32
	BootTimeBias  int64
	SleepTimeBias int64
}

// bootID is when Windows started, in 100 ns. Setting the clock moves BootTime and its bias alike, so
// the difference changes with a boot and with nothing else.
func bootID() (string, error) {
	var t systemTimeOfDay
	err := windows.NtQuerySystemInformation(windows.SystemTimeOfDayInformation, unsafe.Pointer(&t), uint32(unsafe.Sizeof(t)), nil)
	if err != nil {
		return "", fmt.Errorf("ask for the boot time: %w", err)
	}
	return strconv.FormatInt(t.BootTime-t.BootTimeBias, 16), nil
}

func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	sd, err := windows.SecurityDescriptorFromString(private)
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	err = windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
	if err != nil {
		return fmt.Errorf("restrict %s to administrators: %w", dir, err)
	}
	return nil
}

// makePrivateFile makes a new file that nobody but administrators can read at any moment.
func makePrivateFile(path string) (*os.File, error) {
	sd, err := windows.SecurityDescriptorFromString(private)
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE, windows.FILE_SHARE_READ, sa, windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// tryLock holds a file that no one else can open and that goes with its holder.
func tryLock(path string) (func(), error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE|windows.DELETE, 0, nil, windows.OPEN_ALWAYS, windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	switch {
	case err == nil:
		return func() { windows.CloseHandle(h) }, nil
	case isSharingViolation(err), errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

func isSharingViolation(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}

// expandPath puts in %VARIABLES% and makes backslashes of slashes.
func expandPath(p string) string {
	if expanded, err := registry.ExpandString(p); err == nil {
		p = expanded
	}
	return filepath.FromSlash(p)
}

// seal encrypts for this machine (DPAPI): what was taken away with a disk or a backup says nothing.
func seal(b []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptProtectData(blob(b), nil, nil, 0, nil, windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	return takeBlob(out), err
}

func unseal(b []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptUnprotectData(blob(b), nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	return takeBlob(out), err
}

func blob(b []byte) *windows.DataBlob {
	if len(b) == 0 {
		return &windows.DataBlob{}
	}
	return &windows.DataBlob{Size: uint32(len(b)), Data: &b[0]}
}

func takeBlob(d windows.DataBlob) []byte {
	if d.Data == nil {
		return nil
	}
	defer windows.LocalFree(windows.Handle(unsafe.Pointer(d.Data)))
	return append([]byte(nil), unsafe.Slice(d.Data, d.Size)...)
}
