package winrm

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// maxResult bounds each stream of a Result, in bytes.
const maxResult = 16 << 20

// Result is what a command left that was run to its end.
type Result struct {
	Stdout   []byte
	Stderr   string // readable, also where PowerShell wrote it
	ExitCode int32
}

// Run runs one command in a shell of its own, and deletes the shell. An exit code other than 0 is no
// error. It returns within a moment when ctx ends; what is left on the machine is then cleaned up
// behind it, which Close waits for.
func (c *Client) Run(ctx context.Context, commandLine string) (Result, error) {
	shell, err := c.Shell(ctx, ShellOptions{})
	if err != nil {
		return Result{}, fmt.Errorf("run on %s: %w", c.URL(), err)
	}
	res, err := shell.run(ctx, commandLine)
	if ctx.Err() != nil {
		if c.spawn(func() { _ = shell.Close(ctx) }) {
			return res, context.Cause(ctx)
		}
	}
	if e := shell.Close(ctx); e != nil {
		c.cfg.Log.Debug("winrm: shell not deleted; its idle time will end it", "url", c.URL(), "error", e)
	}
	if err != nil {
		return res, fmt.Errorf("run on %s: %w", c.URL(), err)
	}
	return res, nil
}

func (s *Shell) run(ctx context.Context, commandLine string) (Result, error) {
	cmd, err := s.Start(ctx, commandLine, CommandOptions{})
	if err != nil {
		return Result{}, err
	}
	var stdout, stderr bytes.Buffer
	var g errgroup.Group
	g.Go(func() error { return collect(&stdout, cmd.Stdout()) })
	g.Go(func() error { return collect(&stderr, cmd.Stderr()) })
	if err := g.Wait(); err != nil {
		cmd.cancel(err)
		_, werr := cmd.Wait()
		return Result{}, werr
	}
	code, err := cmd.Wait()
	return Result{Stdout: stdout.Bytes(), Stderr: DecodeCLIXML(stderr.String()), ExitCode: code}, err
}

func collect(to *bytes.Buffer, from io.Reader) error {
	n, err := io.Copy(to, io.LimitReader(from, maxResult+1))
	if err == nil && n > maxResult {
		err = fmt.Errorf("more than %d bytes of output", maxResult)
	}
	return err
}
