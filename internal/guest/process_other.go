//go:build !windows

package guest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// shellCommand is what a shell request runs.
const shellCommand = "/bin/sh"

// osProcess is a process group: what a job object is on Windows.
type osProcess struct{ cmd *exec.Cmd }

// startProcess runs the line with sh, so that the parts that are the same on every system can be
// tried on any.
func startProcess(c command) (*process, error) {
	cmd := exec.Command("/bin/sh", "-c", c.line)
	cmd.Dir = c.dir
	cmd.Env = os.Environ()
	for k, v := range c.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	var stdin io.WriteCloser
	if c.stdin {
		if stdin, err = cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	err = cmd.Start()
	outW.Close()
	errW.Close()
	if err != nil {
		outR.Close()
		errR.Close()
		return nil, err
	}
	return &process{osProcess: osProcess{cmd}, stdin: stdin, stdout: outR, stderr: errR}, nil
}

func (p *osProcess) wait() (uint32, error) {
	err := p.cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		err = nil
	}
	return uint32(p.cmd.ProcessState.ExitCode()), err
}

func (p *osProcess) kill()  { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }
func (p *osProcess) close() {}

func portHolder(int) string { return "" }

// quoteArgs makes one line of a program and its arguments.
func quoteArgs(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
