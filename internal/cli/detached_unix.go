//go:build unix

package cli

import "syscall"

// detached gives a process a session of its own: the terminal's end and Ctrl-C do not reach it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
