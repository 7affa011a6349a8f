package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"github.com/envctl/envctl/internal/bootstrap"
	"github.com/envctl/envctl/internal/sandbox/winside"
)

const (
	wineLoader = "/usr/lib/wine/wine64"
	guestExe   = "/opt/envctl/envctl-guest.exe"

	// maxShellLine is how long a command line cmd.exe takes, in UTF-16 units; maxLine, any program.
	maxShellLine = 8191
	maxLine      = 32767
)

// wine starts commands in a running prefix.
type wine struct {
	drives  prefix
	control *control
}

// Start runs a command through the runner on the Windows side, except for the bootstrap, which is
// carried out here.
func (w *wine) Start(ctx context.Context, spec CommandSpec) (Process, error) {
	if spec.Line == bootstrap.Command() {
		return runBootstrap(w.drives), nil
	}
	limit := maxLine
	if spec.Shell {
		limit = maxShellLine
	}
	if len(utf16.Encode([]rune(spec.Line))) > limit {
		return runBuiltin(func(_ io.Reader, _, stderr io.Writer) uint32 {
			fmt.Fprint(stderr, "The command line is too long.\r\n")
			return 1
		}), nil
	}
	p := &wineProcess{exited: make(chan struct{}), reaped: make(chan struct{})}
	if err := p.launch(ctx, w.control, spec); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// wineProcess is a command and its runner.
type wineProcess struct {
	cmd            *exec.Cmd
	conn           net.Conn
	stdin          *os.File
	stdout, stderr *untilExit
	reaped         chan struct{} // the runner's Linux process is gone

	exited chan struct{} // code or err is set
	once   sync.Once
	code   uint32
	err    error
}

var errKilled = errors.New("the command was killed")

func (p *wineProcess) launch(ctx context.Context, c *control, spec CommandSpec) error {
	id := newID()
	arrival, forget := c.expect(id)
	defer forget()
	if err := p.spawn(c.listener.Addr().String(), id); err != nil {
		close(p.reaped)
		return err
	}
	select {
	case p.conn = <-arrival:
	case <-p.reaped:
		return errors.New("the Windows side ended before it took the command; the sandbox may be rebooting")
	case <-ctx.Done():
		return fmt.Errorf("waiting for the Windows side: %w", ctx.Err())
	}
	s := winside.Spec{Line: spec.Line, Shell: spec.Shell, Dir: spec.Dir, CodePage: spec.CodePage}
	for _, v := range spec.Env {
		s.Env = append(s.Env, v.Name+"="+v.Value)
	}
	if err := json.NewEncoder(p.conn).Encode(s); err != nil {
		return fmt.Errorf("handing the command over: %w", err)
	}
	reports := json.NewDecoder(bufio.NewReader(p.conn))
	var r winside.Report
	if err := reports.Decode(&r); err != nil {
		return fmt.Errorf("waiting for the command to start: %w", err)
	}
	if !r.Started {
		return &StartError{Code: r.Code, Err: errors.New(r.Error)}
	}
	go p.follow(reports)
	return nil
}

// pipeSize makes the pipes of a command hold more, in bytes: it is what a stream's speed hangs on.
const pipeSize = 1 << 20

// spawn starts the runner with three pipes.
func (p *wineProcess) spawn(address, id string) error {
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	pipe := func(writeOurs bool) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("making a pipe: %w", err)
		}
		growPipe(w)
		ours, their := r, w
		if writeOurs {
			ours, their = w, r
		}
		theirs = append(theirs, their)
		return ours, nil
	}
	var files [3]*os.File
	for i := range files {
		var err error
		if files[i], err = pipe(i == 0); err != nil {
			return err
		}
	}
	p.stdin, p.stdout, p.stderr = files[0], &untilExit{f: files[1]}, &untilExit{f: files[2]}
	p.cmd = exec.Command(wineLoader, guestExe, winside.RunCommand, address, id)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting wine: %w", err)
	}
	go func() {
		defer close(p.reaped)
		_ = p.cmd.Wait() // its status is cut to 8 bits; the runner reports the whole
	}()
	return nil
}

// growPipe works on the raw descriptor, so that the file stays one that Close interrupts.
func growPipe(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe works too
	})
}

// follow waits for the exit code. Its connection ends with the runner.
func (p *wineProcess) follow(reports *json.Decoder) {
	var r winside.Report
	if err := reports.Decode(&r); err != nil || r.Exit == nil {
		p.finish(0, errKilled)
		return
	}
	p.finish(*r.Exit, nil)
}

func (p *wineProcess) finish(code uint32, err error) {
	p.once.Do(func() {
		p.code, p.err = code, err
		p.stdout.exit()
		p.stderr.exit()
		close(p.exited)
	})
}

func (p *wineProcess) Stdin() io.WriteCloser { return p.stdin }
func (p *wineProcess) Stdout() io.ReadCloser { return p.stdout }
func (p *wineProcess) Stderr() io.ReadCloser { return p.stderr }

// Wait gives the exit code that the runner reported.
func (p *wineProcess) Wait() (uint32, error) {
	<-p.exited
	return p.code, p.err
}

// Kill ends the runner: with it goes the last handle of the job that everything is in.
func (p *wineProcess) Kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill() // it may be gone already
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
}

// Close ends what the command left running, and waits for the runner.
func (p *wineProcess) Close() {
	p.Kill()
	<-p.reaped
	if p.stdin == nil {
		return // it never came so far
	}
	for _, f := range []io.Closer{p.stdin, p.stdout, p.stderr} {
		_ = f.Close() // closed already where its stream ended
	}
}
