package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/providers"
)

// Forward makes a link into an instance's network, through the container that stands there for it. The error wraps
// forward.ErrGone where there is no such container.
func (p *Provider) Forward(ctx context.Context, i providers.Instance) (*forward.Link, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	name := containerName(i, addr.Addr{Kind: addr.Forward, Name: "default"})
	made, err := p.api.ContainerExecCreate(ctx, name, container.ExecOptions{
		Cmd: forward.InsideCommand(), AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if isNotFound(err) {
		return nil, fmt.Errorf("%w: there is no container %s", forward.ErrGone, name)
	}
	if err != nil {
		return nil, p.explain(fmt.Errorf("the forward: %w", err))
	}
	conn, err := p.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return nil, p.explain(fmt.Errorf("the forward: %w", err))
	}
	out, in := io.Pipe()
	said := &limitedBuffer{}
	split := &attached{PipeReader: out, close: conn.Close}
	split.wg.Go(func() {
		_, err := stdcopy.StdCopy(in, said, conn.Reader)
		if err == nil {
			err = errors.New("the forward's container ended it" + said.after())
		}
		_ = in.CloseWithError(err)
	})
	return forward.Connect(ctx, forward.Stream(split, writer{conn.Conn, conn.CloseWrite}))
}

// attached is the output of a command; closing it ends the connection that it came by.
type attached struct {
	*io.PipeReader
	close func()
	wg    sync.WaitGroup
}

func (a *attached) Close() error {
	err := a.PipeReader.Close()
	a.close()
	a.wg.Wait()
	return err
}

type writer struct {
	io.Writer
	close func() error
}

func (w writer) Close() error { return w.close() }

// links are those that checks go through, one an instance.
type linkPool struct {
	mu  sync.Mutex
	all map[providers.Instance]*forward.Link
}

// through gives a link that is up.
func (p *Provider) through(ctx context.Context, i providers.Instance) (*forward.Link, error) {
	i.SpecDir = ""
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	if l := p.links.all[i]; l != nil {
		select {
		case <-l.Done():
			_ = l.Close()
			delete(p.links.all, i)
		default:
			return l, nil
		}
	}
	l, err := p.Forward(ctx, i)
	if err != nil {
		return nil, err
	}
	if p.links.all == nil {
		p.links.all = map[providers.Instance]*forward.Link{}
	}
	p.links.all[i] = l
	return l, nil
}

func (p *Provider) closeLinks() {
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	for _, l := range p.links.all {
		_ = l.Close()
	}
	p.links.all = nil
}
