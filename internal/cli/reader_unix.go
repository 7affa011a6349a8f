//go:build unix

package cli

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// readerGone reports whether one of the streams is a pipe or a terminal that nobody reads any more.
func readerGone(streams []io.Writer) (gone bool) {
	for _, s := range streams {
		f, ok := s.(*os.File)
		if !ok {
			continue
		}
		raw, err := f.SyscallConn()
		if err != nil {
			continue
		}
		_ = raw.Control(func(fd uintptr) { // fails for one that is closed, which nobody waits for
			fds := []unix.PollFd{{Fd: int32(fd)}}
			if n, err := unix.Poll(fds, 0); err == nil && n > 0 {
				gone = gone || fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
			}
		})
	}
	return gone
}
