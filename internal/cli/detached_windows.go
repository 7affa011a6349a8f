package cli

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// detached gives a process neither our console nor our Ctrl-C.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}
