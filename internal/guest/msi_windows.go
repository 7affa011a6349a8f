package guest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// productCode reads a property out of an MSI's own database.
func productCode(path string) (string, error) {
	path16, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return "", err
	}
	var db, view, record uint32 // MSIHANDLE is 32 bits everywhere
	closeHandle := func(h *uint32) {
		if *h != 0 {
			procMsiCloseHandle.Call(uintptr(*h))
		}
	}
	defer closeHandle(&db)
	defer closeHandle(&view)
	defer closeHandle(&record)
	const readOnly = 0 // MSIDBOPEN_READONLY
	if r, _, _ := procMsiOpenDatabase.Call(uintptr(unsafe.Pointer(path16)), readOnly, uintptr(unsafe.Pointer(&db))); r != 0 {
		return "", fmt.Errorf("it is no Windows Installer package: %w", errno(r))
	}
	query, err := windows.UTF16PtrFromString("SELECT `Value` FROM `Property` WHERE `Property`='ProductCode'")
	if err != nil {
		return "", err
	}
	if r, _, _ := procMsiOpenView.Call(uintptr(db), uintptr(unsafe.Pointer(query)), uintptr(unsafe.Pointer(&view))); r != 0 {
		return "", fmt.Errorf("read the package's properties: %w", errno(r))
	}
	if r, _, _ := procMsiViewExecute.Call(uintptr(view), 0); r != 0 {
		return "", fmt.Errorf("read the package's properties: %w", errno(r))
	}
	if r, _, _ := procMsiViewFetch.Call(uintptr(view), uintptr(unsafe.Pointer(&record))); r != 0 {
		return "", fmt.Errorf("the package has no ProductCode: %w", errno(r))
	}
	var buf [64]uint16
	n := uint32(len(buf))
	if r, _, _ := procMsiRecordGetString.Call(uintptr(record), 1, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&n))); r != 0 {
		return "", fmt.Errorf("read the package's ProductCode: %w", errno(r))
	}
	return windows.UTF16ToString(buf[:n]), nil
}

// productInstalled reports whether Windows Installer has the product for this user or the machine.
func productInstalled(product string) bool {
	product16, err := windows.UTF16PtrFromString(product)
	if err != nil {
		return false
	}
	r, _, _ := procMsiProductState.Call(uintptr(unsafe.Pointer(product16)))
	return int32(r) == 5 // INSTALLSTATE_DEFAULT
}

// msiexec runs Windows Installer silently, waits for another installation to end where one is under
// way, and gives the lines of its log that tell why it failed.
func msiexec(ctx context.Context, s *step, args []string) (code uint32, why string, err error) {
	log := filepath.Join(s.machine.Dir, "logs", strings.TrimSuffix(filepath.Base(s.file), filepath.Ext(s.file))+".log")
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return 0, "", err
	}
	line := msiexecLine(append(args, "/qn", "/norestart", "/l*v", log))
	busy := time.NewTicker(2 * time.Second)
	defer busy.Stop()
	for said := false; ; {
		var output string
		code, output, err = runInstaller(ctx, s, line)
		if err != nil || code == 0 {
			os.Remove(log)
			return code, output, err
		}
		if code != exitBusy {
			return code, strings.TrimSpace(output + " " + msiLogTail(log)), nil
		}
		if !said {
			s.log("waiting for another installation on the machine to end")
			said = true
		}
		select {
		case <-ctx.Done():
			return code, "", ctx.Err()
		case <-busy.C:
		}
	}
}

// msiexecLine quotes as msiexec reads: of NAME=some value, the value alone is quoted, and a quote in
// it is doubled.
func msiexecLine(args []string) string {
	line := []string{"msiexec.exe"}
	for _, a := range args {
		name, value, isProperty := strings.Cut(a, "=")
		switch {
		case isProperty && !strings.ContainsAny(name, ` "\/`):
			a = name + `="` + strings.ReplaceAll(value, `"`, `""`) + `"`
		case strings.ContainsAny(a, " \t") && !strings.Contains(a, `"`):
			a = `"` + a + `"`
		}
		line = append(line, a)
	}
	return strings.Join(line, " ")
}

// msiMeaning says in words what the commonest codes mean.
func msiMeaning(code uint32) string {
	switch code {
	case 1603:
		return " (a fatal error during installation)"
	case 1619, 1620:
		return " (the package cannot be opened)"
	case 1625:
		return " (a policy of the machine forbids it)"
	case 1633:
		return " (the package is for another processor)"
	case 1638:
		return " (another version of the product is installed: remove it first)"
	}
	return ""
}

// msiLogTail gives what stands before the first action that failed in an installer's log: the line
// with "Return value 3" and a few before it, and lines that say "error".
func msiLogTail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(decodeText(b), "\n")
	const show = 6
	for i, line := range lines {
		if strings.Contains(line, "Return value 3") {
			return joinLines(lines[max(0, i-show) : i+1])
		}
	}
	var telling []string
	for _, line := range lines {
		if l := strings.ToLower(line); strings.Contains(l, "error") || strings.Contains(l, "failed") {
			telling = append(telling, line)
		}
	}
	if len(telling) == 0 {
		telling = lines
	}
	return joinLines(telling[max(0, len(telling)-show):])
}

func joinLines(lines []string) string {
	var kept []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, " | ")
}

// decodeText reads UTF-16LE with a byte order mark, as Windows Installer writes, or else UTF-8.
func decodeText(b []byte) string {
	if !bytes.HasPrefix(b, []byte{0xFF, 0xFE}) {
		return strings.ToValidUTF8(string(b), "?")
	}
	units := make([]uint16, (len(b)-2)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2+2*i:])
	}
	return string(utf16.Decode(units))
}

// uninstallRoots are where installers say how to remove what they installed.
func uninstallRoots() []regPath {
	const path = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`
	return []regPath{
		{registry.LOCAL_MACHINE, path, registry.WOW64_64KEY},
		{registry.LOCAL_MACHINE, path, registry.WOW64_32KEY},
		{registry.CURRENT_USER, path, registry.WOW64_64KEY},
	}
}

// uninstallKeys lists them, each as "index of the root\name".
func uninstallKeys() ([]string, error) {
	keys := []string{}
	for i, root := range uninstallRoots() {
		k, err := root.open(registry.ENUMERATE_SUB_KEYS)
		if errors.Is(err, registry.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list what is installed: %w", err)
		}
		names, err := k.ReadSubKeyNames(-1)
		k.Close()
		if err != nil {
			return nil, fmt.Errorf("list what is installed: %w", err)
		}
		for _, name := range names {
			keys = append(keys, fmt.Sprintf(`%d\%s`, i, name))
		}
	}
	return keys, nil
}

// uninstallCommand is what removes a product silently; "" where the key is gone or says nothing.
func uninstallCommand(key string) string {
	root := uninstallRoots()[int(key[0]-'0')]
	root.path += key[1:]
	k, err := root.open(registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close()
	for _, name := range []string{"QuietUninstallString", "UninstallString"} {
		if command, _, err := k.GetStringValue(name); err == nil && command != "" {
			return command
		}
	}
	return ""
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}
