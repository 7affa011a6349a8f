//go:build unix

package sandbox

import (
	"io"
	"sync"
)

// builtin is a command that the sandbox carries out itself.
type builtin struct {
	stdin          *io.PipeWriter
	stdout, stderr *io.PipeReader
	stop           func()
	done           chan struct{}
	code           uint32
}

// runBuiltin runs f as a process. Killing it breaks its pipes; f then ends by itself.
func runBuiltin(f func(stdin io.Reader, stdout, stderr io.Writer) uint32) Process {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	b := &builtin{stdin: inW, stdout: outR, stderr: errR, done: make(chan struct{})}
	b.stop = sync.OnceFunc(func() {
		_ = inR.CloseWithError(io.ErrClosedPipe)
		_ = outR.CloseWithError(io.ErrClosedPipe)
		_ = errR.CloseWithError(io.ErrClosedPipe)
	})
	go func() {
		defer close(b.done)
		b.code = f(inR, outW, errW)
		_ = inR.Close()
		_ = outW.Close()
		_ = errW.Close()
	}()
	return b
}

func (b *builtin) Stdin() io.WriteCloser { return b.stdin }
func (b *builtin) Stdout() io.ReadCloser { return b.stdout }
func (b *builtin) Stderr() io.ReadCloser { return b.stderr }
func (b *builtin) Kill()                 { b.stop() }
func (b *builtin) Close()                { b.stop() }

func (b *builtin) Wait() (uint32, error) {
	<-b.done
	return b.code, nil
}
