package windows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/providers"
)

// exec runs a command line and streams until it has ended. The exit code is the command's own, all 32 bits of it.
func (c *conn) exec(ctx context.Context, opts providers.ExecOptions) (int, error) {
	s, err := c.client.NewSession()
	if err != nil {
		return 0, c.because(ctx, err)
	}
	defer s.Close()
	s.Stdout, s.Stderr = orDiscard(opts.Stdout), orDiscard(opts.Stderr)
	for _, kv := range opts.Env {
		name, value, _ := strings.Cut(kv, "=")
		if err := s.Setenv(name, value); err != nil {
			return 0, fmt.Errorf("set %s in the machine: %w", name, c.because(ctx, err))
		}
	}
	// A pipe of our own, so that nobody waits for a stdin that nobody types into any more.
	stdin, err := s.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := start(s, opts); err != nil {
		return 0, c.because(ctx, err)
	}
	go func() {
		if opts.Stdin != nil {
			_, _ = io.Copy(stdin, opts.Stdin)
		}
		_ = stdin.Close()
	}()
	defer context.AfterFunc(ctx, func() {
		_ = s.Signal(ssh.SIGTERM) // the helper ends the whole process tree
		_ = s.Close()
	})()
	err = s.Wait()
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.As(err, &exit):
		return exit.ExitStatus(), nil
	case err != nil:
		return 0, c.because(ctx, err)
	}
	return 0, nil
}

func start(s *ssh.Session, opts providers.ExecOptions) error {
	line := commandLine(opts.Command)
	switch {
	case opts.WorkingDir != "" && line == "":
		return s.Start(inFolder(opts.WorkingDir, "cmd.exe"))
	case opts.WorkingDir != "":
		return s.Start(inFolder(opts.WorkingDir, line))
	case line == "":
		return s.Shell()
	}
	return s.Start(line)
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
