//go:build !windows

package guest

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// NewMachine gives the computer that the helper runs on. Away from Windows it serves tests: it has
// the kinds that need no Windows API and its folder is where ENVCTL_GUEST_DIR says.
func NewMachine() (*Machine, error) {
	dir := os.Getenv("ENVCTL_GUEST_DIR")
	if dir == "" {
		return nil, errors.New("envctl-guest is for Windows; elsewhere set ENVCTL_GUEST_DIR to a folder to try it with")
	}
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	plain := func(b []byte) ([]byte, error) { return b, nil }
	return &Machine{
		Dir: dir, BootID: string(b), kinds: portableKinds(), seal: plain, unseal: plain, now: time.Now,
		restart: func() error { return errors.New("not on this system") },
	}, nil
}

func makePrivateDir(dir string) error { return os.MkdirAll(dir, 0o700) }

// tryLock holds the file until the answered function is called or the process ends.
func tryLock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, err
	}
	return func() {
		os.Remove(path)
		f.Close()
	}, nil
}

func isSharingViolation(error) bool { return false }

// removeProgram leaves the program, which is a test's, and takes the folder if it is empty.
func (m *Machine) removeProgram() error { return nil }

func makePrivateFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func expandPath(p string) string { return os.ExpandEnv(p) }
