package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

// Archive is Get for whoever reads as it comes, and may stop. A link at the path itself is not followed.
func (p *Provider) Archive(ctx context.Context, o providers.Observed, name string) (io.ReadCloser, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	body, _, err := p.api.CopyFromContainer(ctx, o.Handle, name)
	if isNotFound(err) && !noSuchContainer(err) {
		return nil, fmt.Errorf("%s in %s: %w", name, o.Addr, fs.ErrNotExist)
	}
	if err != nil {
		return nil, p.explain(fmt.Errorf("reading %s in %s: %w", name, o.Addr, err))
	}
	return body, nil
}

func noSuchContainer(err error) bool { return strings.Contains(err.Error(), "No such container: ") }

// UnpackRoot is the folder that an archive for a path of a container is unpacked in: of a read-only one, only a
// volume takes any.
func UnpackRoot(body *envspec.Container, name string) string { return copyRoot(body, name) }

// Unpack is Put where a file may take the place of a folder, and a folder that of a file.
func (p *Provider) Unpack(ctx context.Context, o providers.Observed, dir string, archive io.Reader) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.api.CopyToContainer(ctx, o.Handle, dir, archive, container.CopyToContainerOptions{AllowOverwriteDirWithFile: true}); err != nil {
		return p.explain(fmt.Errorf("writing to %s in %s: %w", dir, o.Addr, err))
	}
	return nil
}

// NotRunningError says that a command was to run in a container that does not.
type NotRunningError struct{ err error }

func (e *NotRunningError) Error() string { return e.err.Error() }

// Unwrap gives the engine's own error.
func (e *NotRunningError) Unwrap() error { return e.err }

// removerName is what envctl's helper is called in a container whose image has no rm.
const removerName = ".envctl-node"

// atOnce is how many paths one command takes away: a command line is limited.
const atOnce = 500

// Delete takes files and folders of a running container away, as root. It runs the image's rm, and where there is none
// helper, which it puts into root. One that does not run gives a *NotRunningError.
func (p *Provider) Delete(ctx context.Context, o providers.Observed, root string, paths []string, helper func() ([]byte, error)) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	command := []string{"rm", "-rf", "--"}
	for len(paths) > 0 {
		some := paths[:min(atOnce, len(paths))]
		var said bytes.Buffer
		code, err := p.exec(ctx, o.Handle, providers.ExecOptions{Command: append(command[:len(command):len(command)], some...), User: "0", WorkingDir: "/", Stdout: &said, Stderr: &said})
		switch {
		case says(err, notRunning):
			return &NotRunningError{fmt.Errorf("deleting in %s: %w", o.Addr, err)}
		case command[0] == "rm" && noProgram(code, err, said.String()):
			if err := p.putRemover(ctx, o, root, helper); err != nil {
				return fmt.Errorf("deleting in %s, whose image has no rm: %w", o.Addr, err)
			}
			command = []string{path.Join(root, removerName), "remove", "--"}
			continue
		case err != nil:
			return p.explain(fmt.Errorf("deleting in %s: %w", o.Addr, err))
		case code != 0:
			return fmt.Errorf("deleting in %s: %s ended with %d: %s", o.Addr, command[0], code, strings.TrimSpace(said.String()))
		}
		paths = paths[len(some):]
	}
	return nil
}

// noProgram reports whether a command did not run because it is not there, which engines tell in several ways.
func noProgram(code int, err error, said string) bool {
	if err != nil {
		said = err.Error()
	} else if code != 126 && code != 127 {
		return false
	}
	return strings.Contains(said, "executable file not found") || strings.Contains(said, "no such file or directory")
}

func (p *Provider) putRemover(ctx context.Context, o providers.Observed, root string, helper func() ([]byte, error)) error {
	if _, _, there, err := p.stat(ctx, o, path.Join(root, removerName)); there || err != nil {
		return err
	}
	text, err := helper()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: removerName, Mode: 0o755, Size: int64(len(text)), ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return p.Unpack(ctx, o, root, &b)
}

// Comings calls came whenever containers of an instance have started or gone away, and once when it begins to listen.
// It goes on until ctx ends, also when the engine does not answer for a while.
func (p *Provider) Comings(ctx context.Context, i providers.Instance, came func()) {
	f := instanceFilter(i)
	for _, what := range []string{"start", "unpause", "destroy"} {
		f.Add("event", what)
	}
	f.Add("type", string(events.ContainerEventType))
	for ctx.Err() == nil {
		if p.connect(ctx) == nil {
			p.comings(ctx, f, came)
		}
		_ = wait(ctx, time.Second)
	}
}

func (p *Provider) comings(ctx context.Context, f filters.Args, came func()) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failed := p.api.Events(ctx, events.ListOptions{Filters: f})
	came()
	for {
		select {
		case <-messages:
			came()
		case <-failed: //nolint:errcheck // it ends the watching, whatever it says
			return
		case <-ctx.Done():
			<-failed //nolint:errcheck // its goroutine has ended then
			return
		}
	}
}
