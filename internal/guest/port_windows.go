package guest

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// portHolder names the program that listens on a TCP port, "" where that cannot be told.
func portHolder(port int) string {
	const ipv4, listeners = 2, 3 // AF_INET, TCP_TABLE_OWNER_PID_LISTENER
	size := uint32(64 << 10)
	for range 3 {
		buf := make([]byte, size)
		r, _, _ := procGetExtendedTCPTable.Call(uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0, ipv4, listeners, 0)
		if windows.Errno(r) == windows.ERROR_INSUFFICIENT_BUFFER {
			continue
		}
		if r != 0 {
			return ""
		}
		// MIB_TCPTABLE_OWNER_PID: a count, then rows of state, address, port, two of the peer, pid.
		const row = 24
		count := int(binary.LittleEndian.Uint32(buf))
		for i := 0; i < count && 4+(i+1)*row <= len(buf); i++ {
			entry := buf[4+i*row:]
			if int(binary.BigEndian.Uint16(entry[8:])) == port {
				return processName(binary.LittleEndian.Uint32(entry[20:]))
			}
		}
		return ""
	}
	return ""
}

func processName(pid uint32) string {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	defer windows.CloseHandle(h)
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(buf))
	if err := windows.QueryFullProcessImageName(h, 0, &buf[0], &n); err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("%s (process %d)", filepath.Base(windows.UTF16ToString(buf[:n])), pid)
}
