package sandbox

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// untilExit reads a command's output up to what was in the pipe when the command ended. The pipe
// itself may stay open for long: under Wine every descendant keeps Linux's standard error, and
// programs that a command leaves running keep what they were given.
type untilExit struct {
	f *os.File

	mu     sync.Mutex
	exited bool
	left   int // bytes to deliver yet, once exited
}

// exit says that the command has ended: everything that it wrote is in the pipe.
func (u *untilExit) exit() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.exited, u.left = true, u.waiting()
	_ = u.f.SetReadDeadline(time.Unix(1, 0)) // wakes a Read that waits
}

func (u *untilExit) Read(p []byte) (int, error) {
	u.mu.Lock()
	exited := u.exited
	u.mu.Unlock()
	if !exited {
		n, err := u.f.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			u.mu.Lock()
			// It may have exited while this read: those bytes were then counted or not, and which
			// cannot be told, so what is in the pipe is counted again.
			if u.exited && u.left > 0 {
				u.left = u.waiting()
			}
			u.mu.Unlock()
			return n, err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.left == 0 {
		return 0, io.EOF
	}
	n := 0
	raw, err := u.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), p[:min(len(p), u.left)]) }); cerr != nil {
		return 0, cerr
	}
	if err != nil || n <= 0 {
		return 0, io.EOF
	}
	u.left -= n
	return n, nil
}

// waiting gives how many bytes are in the pipe; none where it is closed.
func (u *untilExit) waiting() (n int) {
	raw, err := u.f.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	if err != nil {
		return 0
	}
	return n
}

func (u *untilExit) Close() error { return u.f.Close() }
