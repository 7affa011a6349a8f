package cli

import "golang.org/x/sys/unix"

func platformID() (string, error) { return unix.Sysctl("kern.uuid") }
