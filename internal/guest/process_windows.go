package guest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// shellCommand is what a shell request runs.
const shellCommand = "cmd.exe"

// osProcess is a process and the job object that holds it and all that it starts.
type osProcess struct {
	mu          sync.Mutex // kill comes from anywhere, also while close is under way
	handle, job windows.Handle
}

// startProcess gives the line to CreateProcess as it is. Where that finds no program, cmd.exe tries:
// it knows its own commands, PATHEXT, and the PATH as it is by now.
func startProcess(c command) (*process, error) {
	p, err := createProcess(c, c.line)
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND) ||
		errors.Is(err, windows.ERROR_BAD_EXE_FORMAT) || errors.Is(err, windows.ERROR_INVALID_NAME) {
		p, err = createProcess(c, `cmd.exe /d /s /c "`+c.line+`"`)
	}
	if err != nil {
		return nil, fmt.Errorf("start %q: %w", c.line, err)
	}
	return p, nil
}

// pipes are the child's ends and ours.
type pipes struct{ theirs, ours [3]*os.File }

func (p *pipes) closeTheirs() { closeAll(p.theirs[:]) }
func (p *pipes) closeOurs()   { closeAll(p.ours[:]) }

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func newPipes(stdin bool) (*pipes, error) {
	p := &pipes{}
	var err error
	if stdin {
		p.theirs[0], p.ours[0], err = os.Pipe()
	} else {
		p.theirs[0], err = os.Open("NUL")
	}
	for i := 1; i < 3 && err == nil; i++ {
		p.ours[i], p.theirs[i], err = os.Pipe()
	}
	for i := 0; i < 3 && err == nil; i++ {
		err = windows.SetHandleInformation(windows.Handle(p.theirs[i].Fd()),
			windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT)
	}
	if err != nil {
		p.closeTheirs()
		p.closeOurs()
		return nil, err
	}
	return p, nil
}

func createProcess(c command, line string) (*process, error) {
	line16, err := windows.UTF16PtrFromString(line)
	if err != nil {
		return nil, err
	}
	var dir16 *uint16
	if c.dir != "" {
		if dir16, err = windows.UTF16PtrFromString(c.dir); err != nil {
			return nil, err
		}
	}
	env := environmentBlock(currentEnvironment(c.env))
	std, err := newPipes(c.stdin)
	if err != nil {
		return nil, err
	}
	defer std.closeTheirs()
	fail := func(err error) (*process, error) {
		std.closeOurs()
		return nil, err
	}
	// Only these three are inherited: another child's pipe in this one would never see its end.
	handles := [3]windows.Handle{}
	for i, f := range std.theirs {
		handles[i] = windows.Handle(f.Fd())
	}
	attributes, err := windows.NewProcThreadAttributeList(1)
	if err != nil {
		return fail(err)
	}
	defer attributes.Delete()
	err = attributes.Update(windows.PROC_THREAD_ATTRIBUTE_HANDLE_LIST, unsafe.Pointer(&handles[0]), unsafe.Sizeof(handles))
	if err != nil {
		return fail(err)
	}
	si := windows.StartupInfoEx{ProcThreadAttributeList: attributes.List()}
	si.Cb = uint32(unsafe.Sizeof(si))
	si.Flags = windows.STARTF_USESTDHANDLES
	si.StdInput, si.StdOutput, si.StdErr = handles[0], handles[1], handles[2]

	// Suspended, so that it is in its job before it can start anything.
	flags := uint32(windows.CREATE_SUSPENDED | windows.CREATE_UNICODE_ENVIRONMENT |
		windows.CREATE_NO_WINDOW | windows.EXTENDED_STARTUPINFO_PRESENT)
	create := func(flags uint32) (pi windows.ProcessInformation, err error) {
		return pi, windows.CreateProcess(nil, line16, nil, nil, true, flags, env, dir16, &si.StartupInfo, &pi)
	}
	var pi windows.ProcessInformation
	if c.outlive {
		pi, err = create(flags | windows.CREATE_BREAKAWAY_FROM_JOB)
	}
	if !c.outlive || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		pi, err = create(flags)
	}
	if err != nil {
		return fail(err)
	}
	p := &process{osProcess: osProcess{handle: pi.Process}, stdout: std.ours[1], stderr: std.ours[2]}
	if c.stdin {
		p.stdin = std.ours[0]
	}
	p.job = newJob(pi.Process, !c.outlive)
	windows.ResumeThread(pi.Thread)
	windows.CloseHandle(pi.Thread)
	return p, nil
}

// newJob puts a process into a job of its own; 0 where Windows refuses (before Windows 8, a process
// can be in one job only).
func newJob(process windows.Handle, killOnClose bool) windows.Handle {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0
	}
	if killOnClose {
		limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
		limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE |
			windows.JOB_OBJECT_LIMIT_BREAKAWAY_OK
		windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
			uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	}
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		windows.CloseHandle(job)
		return 0
	}
	return job
}

func (p *osProcess) wait() (uint32, error) {
	if _, err := windows.WaitForSingleObject(p.handle, windows.INFINITE); err != nil {
		return 0, err
	}
	var code uint32
	err := windows.GetExitCodeProcess(p.handle, &code)
	return code, err
}

// kill ends the tree. What ends a program this way has exit code 1, as taskkill's do.
func (p *osProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.job != 0:
		windows.TerminateJobObject(p.job, 1)
	case p.handle != 0:
		windows.TerminateProcess(p.handle, 1)
	}
}

func (p *osProcess) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	windows.CloseHandle(p.handle)
	if p.job != 0 {
		windows.CloseHandle(p.job)
	}
	p.handle, p.job = 0, 0
}

// quoteArgs makes one line of a program and its arguments.
func quoteArgs(args []string) string { return windows.ComposeCommandLine(args) }
