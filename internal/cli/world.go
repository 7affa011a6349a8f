package cli

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/assets"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/engine"
	"github.com/envctl/envctl/internal/fetch"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/wire"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
	"github.com/envctl/envctl/providers/windows"
)

// world is what an instance lives in: the engine with its providers, and the credential store. This is
// the explicit list of what providers there are.
type world struct {
	*app
	instance providers.Instance
	docker   *docker.Provider
	windows  *windows.Provider
	engine   *engine.Engine
	store    *credential.Store
	secrets  *credential.Planner
	forward  *forwarding

	mu      sync.Mutex       // guards what is found out once
	net     *egress.Settings // see network
	netRead bool
	cache   *fetch.Cache // see fetched
}

func (a *app) world(i providers.Instance) (*world, error) {
	version, _ := buildVersion(a.version)
	d, err := docker.New(docker.Options{Version: version, UserConfig: a.configPath()})
	if err != nil {
		return nil, err
	}
	key, _ := a.Getenv("ENVCTL_STORE_KEY")
	w := &world{
		app: a, instance: i, docker: d,
		store: credential.Open(a.storeDir(i), credential.Options{Key: key, Keychain: credential.SystemKeychain()}),
	}
	w.forward = &forwarding{Provider: d, app: a, instance: i}
	w.windows = windows.New(windows.Options{
		Helper: func() ([]byte, string, error) {
			h, err := assets.Guest("amd64")
			if err != nil {
				return nil, "", err
			}
			gz, err := h.Gzip()
			return gz, h.Raw.SHA256, err
		},
		Fetch: func(ctx context.Context, url, sum string, progress func(current, total int64)) (string, error) {
			cache, err := w.fetched(ctx)
			if err != nil {
				return "", err
			}
			return cache.File(ctx, url, sum, progress)
		},
	})
	w.engine = &engine.Engine{Instance: i, Providers: map[addr.Kind]providers.Provider{
		addr.Network: d, addr.Container: d, addr.Job: d, addr.Sandbox: d, addr.Relay: d, addr.Gateway: d, addr.Forward: w.forward, addr.Windows: w.windows,
	}}
	return w, nil
}

// credentials says what credential blocks there are.
func (w *world) credentials(sources []envspec.CredentialSource) {
	w.secrets = credential.NewPlanner(w.store, sources, w.Getenv)
	w.secrets.Dir, w.secrets.Stderr = w.instance.SpecDir, w.Err
}

// close ends the connections; what is up stays up.
func (w *world) close() error { return errors.Join(w.windows.Close(), w.docker.Close()) }

// helpers gives envctl's own programs: the gateway's as the engine's processor needs it, the sandbox's for amd64,
// which is what Wine runs.
func (w *world) helpers(ctx context.Context) (topology.Helpers, error) {
	platform, err := w.docker.Platform(ctx)
	if err != nil {
		return topology.Helpers{}, err
	}
	_, arch, _ := strings.Cut(platform, "/")
	arch, _, _ = strings.Cut(arch, "/") // a variant
	node, err := assets.Node(arch)
	if err != nil {
		return topology.Helpers{}, err
	}
	sandbox, err := assets.Node("amd64")
	if err != nil {
		return topology.Helpers{}, err
	}
	guest, err := assets.Guest("amd64")
	return topology.Helpers{Node: node.Raw, SandboxNode: sandbox.Raw, Guest: guest.Raw, Emulated: arch != "amd64"}, err
}

// taken says which host ports are in use: published by a container, or held by a process that is not one of ours.
func taken(ctx context.Context, published []docker.PortInUse, ours map[int]bool) wire.Taken {
	holders := make(map[int]string, len(published))
	for _, p := range published {
		holders[p.Port] = "container " + p.Holder
	}
	host := wire.HostTaken(ctx)
	return func(port int) (string, bool) {
		if holder, ok := holders[port]; ok {
			return holder, true
		}
		if ours[port] {
			return "", false
		}
		return host(port)
	}
}

// taken adds the ports that an engine could not have though they looked free from here.
func (s *session) taken(ctx context.Context, published []docker.PortInUse) wire.Taken {
	seen := taken(ctx, published, s.forward.process().Listens())
	return func(port int) (string, bool) {
		if holder, is := seen(port); is {
			return holder, true
		}
		holder, lost := s.lost[port]
		return holder, lost
	}
}

// lose has a port count as taken from now on.
func (s *session) lose(taken *docker.PortTakenError) {
	if s.lost == nil {
		s.lost = map[int]string{}
	}
	s.lost[taken.Port] = "another process"
	if taken.Engine != "" {
		s.lost[taken.Port] += " on the engine's computer (" + taken.Engine + ")"
	}
}
