package docker

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/docker/docker/client"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// Options says how a Provider finds its engine and what it writes on what it makes. The zero Options
// finds the engine as the docker command does.
type Options struct {
	// Version of envctl, for a label.
	Version string
	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
	// ConfigDir is the Docker client's configuration folder; "" is DOCKER_CONFIG, or else ~/.docker.
	ConfigDir string
	// Pulls is how many images are pulled at once; 0 means 4.
	Pulls int
	// Builds is how many images are built at once; 0 means 2.
	Builds int
	// UserConfig is the path of the user's configuration, for errors that name it.
	UserConfig string
}

// Provider makes networks and containers on one Docker engine. It reaches for the engine when it first
// needs it. Its methods may be called at once from many goroutines.
type Provider struct {
	api      *client.Client
	endpoint endpoint
	auth     authStore
	getenv   func(string) string
	version  string
	// userConfig is where a person says which CAs to trust.
	userConfig string

	connecting sync.Mutex
	connected  bool // the API version is agreed on

	pulls, builds chan struct{} // slots
	images        keyedMutex    // one pull or build of an image at a time
	platform      atomic.Pointer[string]
	hostNetwork   atomic.Bool // builds have to use the host's network
	present       sync.Map    // images seen to be there, by reference and platform
	place         place
	links         linkPool
}

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Logger   = (*Provider)(nil)
	_ providers.Execer   = (*Provider)(nil)
)

// New chooses the engine as the docker command does (DOCKER_HOST, DOCKER_CONTEXT, the current context of
// the configuration, the system's default) without reaching for it. An error says which
// setting names an engine that does not exist.
func New(opts Options) (*Provider, error) {
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	config, err := loadConfig(opts.ConfigDir, opts.Getenv)
	if err != nil {
		return nil, err
	}
	ep, err := chooseEndpoint(config, opts.Getenv)
	if err != nil {
		return nil, err
	}
	api, err := ep.client()
	if err != nil {
		return nil, fmt.Errorf("the Docker engine at %s (from %s): %w", ep.host, ep.from, err)
	}
	return &Provider{
		api: api, endpoint: ep, auth: authStore{config: config}, getenv: opts.Getenv, version: opts.Version, userConfig: opts.UserConfig,
		pulls: make(chan struct{}, orDefault(opts.Pulls, 4)), builds: make(chan struct{}, orDefault(opts.Builds, 2)),
	}, nil
}

// Close lets go of the connections to the engine.
func (p *Provider) Close() error {
	p.closeLinks()
	return p.api.Close()
}

// Name is "docker".
func (p *Provider) Name() string { return "docker" }

// Ping returns nil when the engine answers, and else an error that says where it was looked for and what to do.
func (p *Provider) Ping(ctx context.Context) error {
	ping, err := p.api.Ping(ctx)
	if err != nil {
		return p.explain(err)
	}
	p.connecting.Lock()
	defer p.connecting.Unlock()
	if !p.connected {
		p.api.NegotiateAPIVersionPing(ping)
		p.connected = true
	}
	return nil
}

// connect agrees on the API version once. The client can do so by itself, but races when its first
// calls come at the same time.
func (p *Provider) connect(ctx context.Context) error {
	if p.answered() {
		return nil
	}
	return p.Ping(ctx)
}

// answered reports whether the engine ever did.
func (p *Provider) answered() bool {
	p.connecting.Lock()
	defer p.connecting.Unlock()
	return p.connected
}

// Prepare pulls or builds a container's image, unless it is there.
func (p *Provider) Prepare(ctx context.Context, c providers.Change, report event.Sink) error {
	body, ok := c.Node.Body.(*envspec.Container)
	if !ok {
		return nil
	}
	if c.Action == providers.Update {
		return nil // its image is that of the container that is there
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	mask := maskOf(body)
	_, err := p.ensureImage(ctx, c, body, report.Masked(mask))
	return mask.Error(p.explain(err))
}

// Apply makes the network or the container as desired.
func (p *Provider) Apply(ctx context.Context, c providers.Change, report event.Sink) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	if c.Node.Addr.Kind == addr.Network {
		return p.explain(p.applyNetwork(ctx, c))
	}
	body, ok := c.Node.Body.(*envspec.Container)
	if !ok {
		return fmt.Errorf("docker cannot make a %T", c.Node.Body)
	}
	mask := maskOf(body)
	return mask.Error(p.explain(p.applyContainer(ctx, c, body, report.Masked(mask))))
}

// Remove takes a container or a network away. A container's anonymous volumes go with it; named ones
// stay until RemoveVolumes.
func (p *Provider) Remove(ctx context.Context, c providers.Change, _ event.Sink) error {
	if c.Observed == nil {
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if c.Observed.Addr.Kind == addr.Network {
		return p.explain(p.removeNetworks(ctx, c.Observed.Instance, 0))
	}
	return p.explain(p.removeContainer(ctx, c.Observed.Handle))
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// keyedMutex is a mutex for each of an open set of names.
type keyedMutex struct {
	mu    sync.Mutex
	slots map[string]chan struct{}
}

// lock waits for key, or for ctx to end. Without an error the caller must call unlock.
func (k *keyedMutex) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.slots == nil {
		k.slots = map[string]chan struct{}{}
	}
	slot, ok := k.slots[key]
	if !ok {
		slot = make(chan struct{}, 1)
		k.slots[key] = slot
	}
	k.mu.Unlock()
	return acquire(ctx, slot)
}

// acquire takes one of a channel's slots, or gives up when ctx ends.
func acquire(ctx context.Context, slots chan struct{}) (release func(), err error) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func isNotFound(err error) bool { return statusOf(err) == http.StatusNotFound }
