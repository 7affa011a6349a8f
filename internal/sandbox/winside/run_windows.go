package winside

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// run is the runner: it takes a command from the sandbox's Linux side at address, runs it with
// our own standard handles and reports its exit code, all 32 bits of it.
//
// The runner and all that descends from it are in one job, whose only handle it holds: when the
// runner ends, however that comes, they end. It stays after the command for as long as something
// that the command left behind still runs.
func run(address, id string) (int, error) {
	job, err := enterJob()
	if err != nil {
		return 0, err
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, fmt.Errorf("reaching the sandbox: %w", err)
	}
	defer conn.Close()
	token, err := readToken()
	if err != nil {
		return 0, err
	}
	say := json.NewEncoder(conn)
	if err := say.Encode(Hello{Token: token, Do: "run", ID: id}); err != nil {
		return 0, fmt.Errorf("asking the sandbox for the command: %w", err)
	}
	from := bufio.NewReader(conn)
	line, err := from.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("reading the command: %w", err)
	}
	var spec Spec
	if err := json.Unmarshal(line, &spec); err != nil {
		return 0, fmt.Errorf("reading the command: %w", err)
	}
	process, err := start(spec)
	if err != nil {
		r := Report{Error: err.Error()}
		var errno windows.Errno
		if errors.As(err, &errno) {
			r.Code = uint32(errno)
		}
		return 1, say.Encode(r)
	}
	if err := say.Encode(Report{Started: true}); err != nil {
		return 0, err
	}
	if _, err := windows.WaitForSingleObject(process, windows.INFINITE); err != nil {
		return 0, fmt.Errorf("waiting for the command: %w", err)
	}
	var code uint32
	if err := windows.GetExitCodeProcess(process, &code); err != nil {
		return 0, fmt.Errorf("reading the exit code: %w", err)
	}
	if err := say.Encode(Report{Exit: &code}); err != nil {
		return 0, err
	}
	return int(code), outlive(job, from)
}

// outlive waits until nothing is left in the job but us, or until the Linux side hangs up, which
// it does when the shell is deleted. A process that has ended may be in the job for a moment yet.
func outlive(job windows.Handle, from io.Reader) error {
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		_, _ = io.Copy(io.Discard, from) // any end is the end
	}()
	const longest = time.Second
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longest) {
		alone, err := alone(job)
		if err != nil || alone {
			return err
		}
		select {
		case <-hungUp:
			return nil
		case <-time.After(pause):
		}
	}
}

func readToken() (string, error) {
	raw, err := os.ReadFile(ControlFile)
	if err != nil {
		return "", fmt.Errorf("this is not the envctl sandbox: %w", err)
	}
	var c Control
	if err := json.Unmarshal(raw, &c); err != nil {
		return "", err
	}
	return c.Token, nil
}

func enterJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("making a job: %w", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_BREAKAWAY_OK
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		return 0, fmt.Errorf("setting the job up: %w", err)
	}
	if err := windows.AssignProcessToJobObject(job, windows.CurrentProcess()); err != nil {
		return 0, fmt.Errorf("entering the job: %w", err)
	}
	return job, nil
}

// accounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type accounting struct {
	TotalUserTime, TotalKernelTime, ThisPeriodUserTime, ThisPeriodKernelTime int64
	PageFaults, TotalProcesses, ActiveProcesses, TerminatedProcesses         uint32
}

// alone says whether the runner is all that is left in its job.
func alone(job windows.Handle) (bool, error) {
	const jobObjectBasicAccountingInformation = 1
	var info accounting
	if err := windows.QueryInformationJobObject(job, jobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil); err != nil {
		return false, err
	}
	return info.ActiveProcesses <= 1, nil
}

// start begins the command as Windows' own shell host does: cmd.exe /C and the line as it is, or
// the line alone.
func start(spec Spec) (windows.Handle, error) {
	line := spec.Line
	if spec.Shell {
		line = `C:\windows\system32\cmd.exe /C ` + setPage(spec.CodePage, line)
	}
	for _, pair := range spec.Env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			if err := os.Setenv(name, value); err != nil {
				return 0, err
			}
		}
	}
	linePtr, err := windows.UTF16PtrFromString(line)
	if err != nil {
		return 0, err
	}
	dir := spec.Dir
	if dir == "" {
		dir = os.Getenv("USERPROFILE")
	}
	if dir, err = registry.ExpandString(dir); err != nil {
		return 0, fmt.Errorf("working directory: %w", err)
	}
	dirPtr, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	si := windows.StartupInfo{Flags: windows.STARTF_USESTDHANDLES}
	si.Cb = uint32(unsafe.Sizeof(si))
	for which, to := range map[uint32]*windows.Handle{
		windows.STD_INPUT_HANDLE: &si.StdInput, windows.STD_OUTPUT_HANDLE: &si.StdOutput, windows.STD_ERROR_HANDLE: &si.StdErr,
	} {
		h, err := windows.GetStdHandle(which)
		if err != nil {
			return 0, err
		}
		if err := windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
			return 0, err
		}
		*to = h
	}
	var pi windows.ProcessInformation
	// Without a window, Wine gives the command a console of its own.
	if err := windows.CreateProcess(nil, linePtr, nil, nil, true, windows.CREATE_UNICODE_ENVIRONMENT|windows.CREATE_NO_WINDOW, nil, dirPtr, &si, &pi); err != nil {
		return 0, err
	}
	_ = windows.CloseHandle(pi.Thread)
	return pi.Process, nil
}

// ownPage is the code page of a console that nobody set, and maxLine what cmd.exe takes.
const (
	ownPage = 437
	maxLine = 8191
)

// setPage makes the line's console write in a code page. Only the console's own program can set
// it: the console comes into being with the command.
func setPage(page int, line string) string {
	prefix := fmt.Sprintf("chcp %d>nul & ", page)
	if page == 0 || page == ownPage || len(line)+len(prefix) > maxLine {
		return line
	}
	return prefix + line
}
