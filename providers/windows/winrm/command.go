package winrm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/envctl/envctl/internal/heard"
)

// The signals that a command can be sent ([MS-WSMV] 2.2.4.37).
const (
	SignalTerminate = "terminate"
	SignalCtrlC     = "ctrl_c"
)

// CommandOptions says how a command is started; the zero value is good for most.
type CommandOptions struct {
	// Arguments are appended to the command line, each after a space, by the machine.
	Arguments []string
	// SkipCmdShell starts the program itself, without cmd.exe and its limit of 8,191 characters.
	SkipCmdShell bool
	// ConsoleStdin gives the command a console's stdin in place of a pipe. No console passes every
	// byte through.
	ConsoleStdin bool
}

// Command is a running command. Read Stdout and Stderr both until they end: as with a local pipe, a
// command whose output nobody reads stops.
type Command struct {
	shell *Shell
	id    string

	ctx     context.Context
	cancel  context.CancelCauseFunc
	stdin   *input
	stdout  *output
	stderr  *output
	done    chan struct{} // code and err are set
	code    int32
	err     error
	cleaned chan struct{} // nothing of ours runs any more
	heard   *heard.Mark   // see Silence
}

// Start starts a command ([MS-WSMV] 3.1.4.11: Command). The command ends with ctx, as do reading and
// writing. Whatever commandLine holds reaches the machine as it is; quoting it is the caller's matter.
func (s *Shell) Start(ctx context.Context, commandLine string, opts CommandOptions) (*Command, error) {
	o := s.client.options(actionCommand, resourceCmd, s.id)
	o.options = [][2]string{
		{"WINRS_CONSOLEMODE_STDIN", upper(opts.ConsoleStdin)},
		{"WINRS_SKIP_CMD_SHELL", upper(opts.SkipCmdShell)},
	}
	r := newRequest(o)
	line := r.body("CommandLine")
	r.child(line, "Command", commandLine)
	for _, arg := range opts.Arguments {
		r.child(line, "Arguments", arg)
	}
	a, err := s.client.call(ctx, r.action, r.bytes(), s.client.cfg.OperationTimeout)
	if err != nil {
		return nil, s.explain(err)
	}
	if a.commandID == "" {
		return nil, fmt.Errorf("command: %w: it names no command", ErrBadAnswer)
	}
	c := &Command{shell: s, id: a.commandID, done: make(chan struct{}), cleaned: make(chan struct{}), heard: heard.New()}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.stdin, c.stdout, c.stderr = newInput(c), newOutput(), newOutput()
	if !s.add(c) {
		c.cancel(errShellClosed)
		return nil, errShellClosed
	}
	if !s.client.spawn(c.run) {
		s.remove(c)
		c.cancel(ErrClosed)
		close(c.cleaned)
		return nil, ErrClosed
	}
	return c, nil
}

func upper(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

// explain knows a bare 400 for what it is: how some machines say that a shell is gone.
func (s *Shell) explain(err error) error {
	var status *HTTPError
	if errors.As(err, &status) && status.Status == http.StatusBadRequest {
		return fmt.Errorf("%w (%w)", ErrShellNotFound, err)
	}
	return err
}

// Stdin is the command's. A Write returns when the bytes are in line to be sent; Close returns when
// all of them have arrived, or with the reason why not.
func (c *Command) Stdin() io.WriteCloser { return c.stdin }

// Stdout ends with io.EOF when the command has, and otherwise with what Wait says.
func (c *Command) Stdout() io.Reader { return c.stdout }

// Stderr is as Stdout. What PowerShell writes there is for DecodeCLIXML.
func (c *Command) Stderr() io.Reader { return c.stderr }

// Wait waits until the command has ended and gives its exit code, signed as Windows has it.
func (c *Command) Wait() (int32, error) {
	<-c.done
	return c.code, c.err
}

// Done is closed when Wait would return.
func (c *Command) Done() <-chan struct{} { return c.done }

// Silence is how long the command has shown no sign of life: output that came, or stdin that it took. A long poll
// that had nothing to say is none.
func (c *Command) Silence() time.Duration { return c.heard.Silence() }

// Signal sends SignalTerminate or SignalCtrlC.
func (c *Command) Signal(ctx context.Context, signal string) error {
	return c.signal(ctx, signal, c.shell.client.cfg.OperationTimeout)
}

// Close ends the command, if it runs still, and waits until that is known to the machine or could
// not be told in Config.CleanupTimeout.
func (c *Command) Close() error {
	c.cancel(ErrClosed)
	<-c.cleaned
	return nil
}

func (c *Command) signal(ctx context.Context, signal string, limit time.Duration) error {
	o := c.shell.client.options(actionSignal, resourceCmd, c.shell.id)
	o.timeout = limit
	r := newRequest(o)
	r.child(r.body("Signal").SetAttr("CommandId", escape(c.id)), "Code", actionSignal[:len(actionSignal)-len("Signal")]+"signal/"+signal)
	_, err := c.shell.client.call(ctx, r.action, r.bytes(), limit)
	return err
}

// run owns the command until nothing of it is left.
func (c *Command) run() {
	defer close(c.cleaned)
	defer c.shell.remove(c)
	stop := context.AfterFunc(c.shell.client.ctx, func() { c.cancel(ErrClosed) })
	defer stop()
	wake := context.AfterFunc(c.ctx, func() {
		err := context.Cause(c.ctx)
		c.stdin.fail(err)
		c.stdout.end(err)
		c.stderr.end(err)
	})
	defer wake()

	l := c.shell.client.take()
	code, err := c.receive(l)
	c.shell.client.give(l)
	c.code, c.err = code, err
	if err == nil {
		err = io.EOF
		c.stdin.ended()
	}
	c.stdin.fail(err)
	c.stdout.end(err)
	c.stderr.end(err)
	close(c.done)
	// A Send that is under way may be waiting for a command that will never read it.
	c.cancel(errEnded)
	c.stdin.wait()

	// After all output a Signal is still owed; the machine keeps the command's place until then. A
	// shell that is being deleted, or is gone, takes its commands with it.
	if errors.Is(c.err, ErrShellNotFound) || errors.Is(c.err, errShellClosed) {
		return
	}
	limit := c.shell.client.cfg.CleanupTimeout
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), limit)
	defer cancel()
	if err := c.signal(ctx, SignalTerminate, limit); err != nil && !errors.Is(err, ErrShellNotFound) {
		c.shell.client.cfg.Log.Debug("winrm: signal after the end", "url", c.shell.client.URL(), "error", err)
	}
}

var errEnded = errors.New("winrm: the command has ended")
