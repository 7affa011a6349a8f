package guest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// restart asks Windows to restart now. It is shutdown.exe and not InitiateSystemShutdownEx, which
// needs a privilege turned on and does the same.
func restart() error {
	p, err := startProcess(command{line: "shutdown.exe /r /t 0 /f", outlive: true})
	if err != nil {
		return err
	}
	var out tail
	code, err := p.run(context.Background(), &out, io.Discard)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("shutdown.exe ended with exit code %d: %s", code, out.text())
	}
	return nil
}

// restartPending looks where Windows notes that it wants to restart.
func restartPending() (string, error) {
	const current = `SOFTWARE\Microsoft\Windows\CurrentVersion\`
	for _, place := range []struct{ path, why string }{
		{current + `Component Based Servicing\RebootPending`, "Windows has serviced its components"},
		{current + `WindowsUpdate\Auto Update\RebootRequired`, "Windows Update asks for it"},
	} {
		k, err := registry.OpenKey(registry.LOCAL_MACHINE, place.path, registry.QUERY_VALUE)
		if err == nil {
			k.Close()
			return place.why, nil
		}
		if !errors.Is(err, registry.ErrNotExist) {
			return "", err
		}
	}
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Session Manager`, registry.QUERY_VALUE)
	if err != nil {
		return "", err
	}
	defer k.Close()
	renames, _, err := k.GetStringsValue("PendingFileRenameOperations")
	if err == nil && len(renames) > 0 {
		return "files in use are to be replaced", nil
	}
	return "", nil
}

// removeProgram removes the helper's folder with the programs in it. One that runs cannot be deleted,
// only renamed: it goes to Windows' own temporary folder under a name that nothing else uses, and a
// command that outlives us deletes it once it has ended. A new upload meanwhile is not in its way.
func (m *Machine) removeProgram() error {
	windir, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return err
	}
	var running []string
	err = filepath.WalkDir(filepath.Join(m.Dir, "bin"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || removeFile(path) == nil {
			return nil
		}
		aside := filepath.Join(windir, "Temp", "envctl-guest-"+rand.Text()[:8]+".tmp")
		if os.Rename(path, aside) == nil {
			running = append(running, aside)
		}
		return nil
	})
	if err != nil {
		return err
	}
	os.RemoveAll(filepath.Join(m.Dir, "bin"))
	for _, file := range running {
		line := fmt.Sprintf(`cmd.exe /d /c for /l %%i in (1,1,900) do @(del /f /q "%s" >nul 2>nul & if not exist "%s" exit & ping -n 2 127.0.0.1 >nul)`, file, file)
		p, err := createProcess(command{dir: windir, outlive: true}, line)
		if err != nil {
			return fmt.Errorf("remove %s: %w; remove it by hand", file, err)
		}
		p.stdout.Close()
		p.stderr.Close()
		p.close()
	}
	return nil
}
