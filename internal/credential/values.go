package credential

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/secret"
)

// StandInPrefix is how every stand-in begins.
const StandInPrefix = "envctlstandin"

// StandIn gives what a plan has in place of a password: another for another version, letters and digits
// alone (so that no encoding changes it), 53 of them.
func StandIn(name, version string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + version))
	return StandInPrefix + hex.EncodeToString(sum[:20])
}

// StandIns gives credentials whose user names are real and whose passwords are stand-ins.
func (p *Planner) StandIns(ctx context.Context) envspec.Credentials {
	return lookup(func(name string) (envspec.CredentialValue, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c, err := p.plan(ctx, name)
		if err != nil {
			return envspec.CredentialValue{}, err
		}
		return envspec.CredentialValue{Username: c.username, Password: StandIn(name, c.version.ID)}, nil
	})
}

type lookup func(name string) (envspec.CredentialValue, error)

func (l lookup) Credential(name string) (envspec.CredentialValue, error) { return l(name) }

// Existing gives the real value of a credential that has one already; there is false where it is yet to be
// generated. It makes and keeps nothing: it is for looking at what is there, before anything is applied.
func (p *Planner) Existing(ctx context.Context, name string) (value envspec.CredentialValue, there bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.plan(ctx, name)
	if err != nil || c.fresh {
		return envspec.CredentialValue{}, false, err
	}
	if err := p.open(name, c); err != nil {
		return envspec.CredentialValue{}, false, err
	}
	return envspec.CredentialValue{Username: c.username, Password: c.values[password].Reveal()}, true, nil
}

// Values gives credentials their real values, of the very versions that were planned. What has to be
// generated is made when it is asked for, and is on disk before it is handed out.
func (p *Planner) Values(ctx context.Context) *Values { return &Values{ctx: ctx, p: p} }

// Values implements envspec.Credentials.
type Values struct {
	ctx context.Context // of the run: envspec.Credentials asks without one
	p   *Planner
}

// Credential gives a credential's value. The error is ErrHeldElsewhere where the value is in use and cannot
// be had here, and ErrChanged where another run made one since the plan.
func (v *Values) Credential(name string) (envspec.CredentialValue, error) {
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	c, err := v.p.plan(v.ctx, name)
	if err != nil {
		return envspec.CredentialValue{}, err
	}
	if c.fresh && c.values == nil {
		s, err := generate(v.p.sources[name].Generate.Length)
		if err != nil {
			return envspec.CredentialValue{}, fmt.Errorf("credential %s: %w", name, err)
		}
		c.values = map[string]secret.Text{password: hidden(s)}
	}
	if err := v.load(name, c); err != nil {
		return envspec.CredentialValue{}, err
	}
	return envspec.CredentialValue{Username: c.username, Password: c.values[password].Reveal()}, nil
}

// Generated gives the secret part of what Planner.Generated planned.
func (v *Values) Generated(name string) (map[string]secret.Text, error) {
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	c, ok := v.p.planned[name]
	if !ok {
		return nil, fmt.Errorf("credential %s was not planned with", name)
	}
	if err := v.load(name, c); err != nil {
		return nil, err
	}
	return c.values, nil
}

// load makes c.values hold the value of c.version, kept for good.
func (v *Values) load(name string, c *planned) error {
	switch {
	case c.fresh:
		err := v.p.store.create(v.ctx, Entry{Name: name, Version: c.version, Public: c.public, Values: c.values})
		if err != nil {
			return err
		}
		c.fresh = false
	case c.external && !v.p.kept:
		if err := v.p.store.keep(v.ctx); err != nil {
			return err
		}
		v.p.kept = true
	}
	return v.p.open(name, c)
}

// open makes c.values hold the value of c.version, which is not fresh.
func (p *Planner) open(name string, c *planned) error {
	if c.held != nil || c.values != nil {
		return c.held
	}
	entry, there, err := p.store.Lookup(name)
	if err != nil {
		return err
	}
	if !there || entry.Version.ID != c.version.ID {
		return fmt.Errorf("credential %s %w", name, ErrChanged)
	}
	if entry.Values == nil {
		return errors.New("credential " + name + ": its entry is empty; rotate it")
	}
	c.values = entry.Values
	return nil
}

func hidden(s string) secret.Text { return secret.Text{Value: s, Sensitive: true} }

func hiddenAll(m map[string]string) map[string]secret.Text {
	out := make(map[string]secret.Text, len(m))
	for k, v := range m {
		out[k] = hidden(v)
	}
	return out
}
