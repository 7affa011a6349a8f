// Command program is what the sandbox's tests run inside Windows.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(64)
	}
	switch os.Args[1] {
	case "cat":
		_, err := io.CopyBuffer(struct{ io.Writer }{os.Stdout}, struct{ io.Reader }{os.Stdin}, make([]byte, 64<<10))
		check(err)
	case "exit":
		code, err := strconv.ParseUint(os.Args[2], 10, 32)
		check(err)
		windows.ExitProcess(uint32(code))
	case "tree": // a parent, a child and a grandchild, the last detached
		depth, err := strconv.Atoi(os.Args[2])
		check(err)
		if depth > 0 {
			self, err := os.Executable()
			check(err)
			child := exec.Command(self, "tree", strconv.Itoa(depth-1))
			out, err := child.StdoutPipe()
			check(err)
			check(child.Start())
			_, err = bufio.NewReader(out).ReadString('\n')
			check(err)
		}
		fmt.Println("ready")
		time.Sleep(10 * time.Minute)
	case "bootid":
		var info [6]int64 // SYSTEM_TIMEOFDAY_INFORMATION, the boot time first
		const systemTimeOfDayInformation = 3
		var n uint32
		check(windows.NtQuerySystemInformation(systemTimeOfDayInformation, unsafe.Pointer(&info), uint32(unsafe.Sizeof(info)), &n))
		fmt.Println(info[0])
	case "service":
		check(svc.Run("EnvctlTest", service{}))
	}
}

type service struct{}

func (service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop}
	for r := range requests {
		switch r.Cmd {
		case svc.Interrogate:
			status <- r.CurrentStatus
		case svc.Stop, svc.Shutdown:
			return false, 0
		}
	}
	return false, 0
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
