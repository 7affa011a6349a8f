package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/forward"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// forwarding is the provider of a forward: its container on the engine, and its process on this computer.
type forwarding struct {
	*docker.Provider
	app      *app
	instance providers.Instance
	ports    []forward.Port // what it is to carry
}

// process is that of the instance on this engine: it may be up on several. The names only help who looks there.
func (f *forwarding) process() forward.Process {
	sum := sha256.Sum256([]byte(f.instance.Environment + "\x00" + f.instance.ID + "\x00" + f.Host()))
	name := fmt.Sprintf("%s-%s-%x", f.instance.Environment, f.instance.ID, sum[:8])
	dir := filepath.Join(f.app.stateDir(), "forward", name)
	return forward.Process{Dir: forward.Dir(dir), Command: func() (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(self, "forward", dir)
		cmd.SysProcAttr = detached()
		cmd.Env = os.Environ()
		for _, name := range []string{"DOCKER_CONFIG", "DOCKER_CERT_PATH"} { // it runs in another folder
			if path := os.Getenv(name); path != "" {
				cmd.Env = append(cmd.Env, name+"="+f.app.abs(path))
			}
		}
		return cmd, nil
	}}
}

// WaitReady has the process run, follow the ports as they are now, and reach the container.
func (f *forwarding) WaitReady(ctx context.Context, c providers.Change, report event.Sink) error {
	if err := f.Provider.WaitReady(ctx, c, report); err != nil {
		return err
	}
	return f.process().Ensure(ctx, forward.Table{Environment: f.instance.Environment, Instance: f.instance.ID, Ports: f.ports})
}

// Remove ends the process and removes the container.
func (f *forwarding) Remove(ctx context.Context, c providers.Change, report event.Sink) error {
	return errors.Join(f.process().End(ctx), f.Provider.Remove(ctx, c, report))
}

// look says how the process is.
func (f *forwarding) look() (providers.State, string) {
	s, running := f.process().State()
	switch {
	case !running:
		return providers.Failed, "no process carries its ports to this computer; \"envctl up\" starts one"
	case len(s.Taken) > 0:
		return providers.Failed, fmt.Sprintf("port %d of this computer cannot be had: %s", s.Taken[0].Port, s.Taken[0].Error)
	case !s.Up:
		return providers.Starting, "connecting: " + s.Error
	}
	return providers.Ready, fmt.Sprintf("pid %d carries its ports to this computer", s.PID)
}
