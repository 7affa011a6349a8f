package docker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
	"golang.org/x/term"

	"github.com/envctl/envctl/providers"
)

// Exec runs a command in a container and gives its exit code. With TTY all output goes to Stdout, and
// the terminal in the container takes the size of the one that Stdout is. Stdin may be read
// once more after the command ended; the read's result is thrown away.
func (p *Provider) Exec(ctx context.Context, o providers.Observed, opts providers.ExecOptions) (int, error) {
	if err := p.connect(ctx); err != nil {
		return -1, err
	}
	code, err := p.exec(ctx, o.Handle, opts)
	if err != nil && ctx.Err() != nil {
		return code, context.Cause(ctx)
	}
	if says(err, notRunning) {
		return code, fmt.Errorf("%s does not run (%s); \"envctl start\" or \"envctl up\" starts it", o.Addr, cmp.Or(o.Detail, string(o.State)))
	}
	if err != nil {
		return code, p.explain(fmt.Errorf("running a command in %s: %w", o.Addr, err))
	}
	return code, nil
}

func (p *Provider) exec(ctx context.Context, id string, opts providers.ExecOptions) (int, error) {
	made, err := p.api.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: opts.Command, User: opts.User, WorkingDir: opts.WorkingDir, Env: opts.Env, Tty: opts.TTY,
		AttachStdin: opts.Stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return -1, err
	}
	conn, err := p.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: opts.TTY})
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	// The stream is no part of a request any more, so ctx does not end it by itself.
	defer context.AfterFunc(ctx, conn.Close)()
	if opts.TTY {
		p.resize(ctx, made.ID, opts.Stdout)
		defer p.follow(ctx, made.ID, opts)()
	}
	if opts.Stdin != nil {
		// A read from a terminal cannot be taken back, so nobody waits for the end of this.
		go func() {
			_, _ = io.Copy(conn.Conn, opts.Stdin) // the command may not read to the end
			_ = conn.CloseWrite()
		}()
	}
	stdout, stderr := orDiscard(opts.Stdout), orDiscard(opts.Stderr)
	if opts.TTY {
		_, err = io.Copy(stdout, conn.Reader)
	} else {
		_, err = stdcopy.StdCopy(stdout, stderr, conn.Reader)
	}
	if ctx.Err() != nil {
		return -1, context.Cause(ctx)
	}
	if err != nil {
		return -1, err
	}
	return p.execCode(ctx, made.ID)
}

// execCode gives the exit code of a command whose output ended, which is a moment before it counts as ended.
func (p *Provider) execCode(ctx context.Context, execID string) (int, error) {
	for pause := time.Millisecond; ; pause *= 2 {
		is, err := p.api.ContainerExecInspect(ctx, execID)
		if err != nil {
			return -1, err
		}
		if !is.Running {
			return is.ExitCode, nil
		}
		if err := wait(ctx, min(pause, time.Second)); err != nil {
			return -1, err
		}
	}
}

// follow resizes the terminal in the container as the one here is, until it is ended.
func (p *Provider) follow(ctx context.Context, execID string, opts providers.ExecOptions) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-opts.Resized:
				p.resize(ctx, execID, opts.Stdout)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// resize gives the terminal in the container the size of the one here, if there is one.
func (p *Provider) resize(ctx context.Context, execID string, stdout io.Writer) {
	f, ok := stdout.(interface{ Fd() uintptr })
	if !ok {
		return
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return
	}
	// A terminal of the wrong size still works.
	_ = p.api.ContainerExecResize(ctx, execID, container.ResizeOptions{Width: uint(width), Height: uint(height)})
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
