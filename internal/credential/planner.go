package credential

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/secret"
)

// Planner decides, before anything is made, which version of each credential a run uses. It reads values
// that are not ours (their version is made from them) and keeps nothing on disk. It may be used from many
// goroutines.
type Planner struct {
	// Recorded are the versions that labels name, by credential: what is in use now.
	Recorded map[string]Version
	// Dir is where commands run and from where relative paths go: the spec's folder.
	Dir string
	// Stderr takes what a credential's command says beside its answer; nil for nowhere.
	Stderr io.Writer

	store   *Store
	sources map[string]envspec.CredentialSource
	environ func(name string) (value string, ok bool)

	mu      sync.Mutex
	planned map[string]*planned
	kept    bool // the key behind the versions of external values outlives us
}

// planned is one credential as this run uses it.
type planned struct {
	version  Version
	username string
	// fresh is a generated value that nothing has yet. What it is made of, once it is: values and public.
	fresh  bool
	values map[string]secret.Text
	public map[string]string
	// external is a value that is not ours.
	external bool
	// held is why a generated value cannot be had.
	held error
}

// Keys of an entry's values.
const password = "password"

// NewPlanner gives a planner for the credential blocks of one spec. The environment is os.LookupEnv, or what stands for it.
func NewPlanner(store *Store, sources []envspec.CredentialSource, environ func(name string) (value string, ok bool)) *Planner {
	p := &Planner{store: store, environ: environ, sources: map[string]envspec.CredentialSource{}, planned: map[string]*planned{}}
	for _, s := range sources {
		p.sources[s.Name] = s
	}
	return p
}

// Version gives the version that a run uses of a credential.
func (p *Planner) Version(ctx context.Context, name string) (Version, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.plan(ctx, name)
	if err != nil {
		return Version{}, err
	}
	return c.version, nil
}

func (p *Planner) plan(ctx context.Context, name string) (*planned, error) {
	if c, ok := p.planned[name]; ok {
		return c, nil
	}
	source, ok := p.sources[name]
	if !ok {
		return nil, fmt.Errorf("there is no credential block named %q", name)
	}
	var c *planned
	var err error
	if source.Generate != nil {
		c, err = p.generated(name)
	} else {
		c, err = p.external(ctx, source)
	}
	if err != nil {
		return nil, err
	}
	if source.Username != "" {
		c.username = source.Username
	}
	p.planned[name] = c
	return c, nil
}

// generated is never made again while one is in use: what took the old one, keeps it.
func (p *Planner) generated(name string) (*planned, error) {
	entry, there, err := p.store.Index(name)
	if err != nil {
		return nil, err
	}
	if there {
		return &planned{version: entry.Version, public: entry.Public}, nil
	}
	// With a key it was the MAC of a value from elsewhere, before the block said generate.
	if v, ok := p.Recorded[name]; ok && v.Key == "" {
		return &planned{version: v, held: &HeldElsewhereError{Name: name, Owner: v.Owner}}, nil
	}
	id := make([]byte, 8)
	rand.Read(id) // never fails: crypto/rand
	return &planned{version: Version{ID: hex.EncodeToString(id), Owner: p.store.owner}, fresh: true}, nil
}

func (p *Planner) external(ctx context.Context, source envspec.CredentialSource) (*planned, error) {
	v, err := p.read(ctx, source)
	if err != nil {
		return nil, err
	}
	k, err := p.store.keys.primary()
	if err != nil {
		return nil, err
	}
	return &planned{
		external: true, username: v.Username, values: map[string]secret.Text{password: hidden(v.Password)},
		version: p.versionOf(k, source.Name, v.Password),
	}, nil
}

// versionOf gives the version of a value that is not ours.
func (p *Planner) versionOf(k *key, name, value string) Version {
	if old, ok := p.Recorded[name]; ok && old.Key != "" && old.Key != k.id {
		return old // made with another key, it says nothing: it counts as unchanged
	}
	return Version{ID: k.version(name, value), Key: k.id}
}

// Given plans with a secret that stands in no spec and that the caller has in hand (a proxy's login), and gives its version.
// Values.Generated has the value, and sees that the key behind the version is kept.
func (p *Planner) Given(name, value string) (Version, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, err := p.store.keys.primary()
	if err != nil {
		return Version{}, err
	}
	c := &planned{external: true, values: map[string]secret.Text{password: hidden(value)}, version: p.versionOf(k, name, value)}
	p.planned[name] = c
	return c.version, nil
}

// Made is a secret of a caller's own making: Values are sealed, Public stays in clear.
type Made struct {
	Values, Public map[string]string
}

// Generated plans with an entry that stands in no spec (a sandbox's certificate and password) and gives its
// version and public part. Where the store has none, it is made here and saved by Values.Generated. One that
// is in use and not in the store is ErrHeldElsewhere.
func (p *Planner) Generated(name string, make func() (Made, error)) (v Version, public map[string]string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.planned[name]
	if !ok {
		if c, err = p.generated(name); err != nil {
			return Version{}, nil, err
		}
		if c.fresh {
			m, err := make()
			if err != nil {
				return Version{}, nil, fmt.Errorf("make credential %s: %w", name, err)
			}
			c.values, c.public = hiddenAll(m.Values), m.Public
		}
		p.planned[name] = c
	}
	return c.version, maps.Clone(c.public), c.held
}

// Passing reports whether what was planned for a credential is so for this process alone: its value is yet to be
// made, or its version was made with a key that is nowhere kept yet. Another run plans with another version.
func (p *Planner) Passing(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.planned[name]
	return ok && (c.fresh || c.external && p.store.keys.passing(c.version.Key))
}
