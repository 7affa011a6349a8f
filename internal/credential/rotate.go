package credential

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/envctl/envctl/internal/secret"
)

// ErrExternal is the error for rotating a value that is not ours to make.
var ErrExternal = errors.New("its value is not generated; change it where it comes from")

// Rotate gives a generated credential a new value, whether it had one or not, and gives its version. What uses the old
// one does so until it is changed: the next plan knows that.
func (p *Planner) Rotate(ctx context.Context, name string) (Version, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	source, ok := p.sources[name]
	switch {
	case !ok:
		return Version{}, fmt.Errorf("there is no credential block named %q", name)
	case source.Generate == nil:
		return Version{}, fmt.Errorf("credential %s: %w", name, ErrExternal)
	}
	value, err := generate(source.Generate.Length)
	if err != nil {
		return Version{}, fmt.Errorf("credential %s: %w", name, err)
	}
	id := make([]byte, 8)
	rand.Read(id) // never fails: crypto/rand
	v := Version{ID: hex.EncodeToString(id), Owner: p.store.owner}
	if err := p.store.Save(ctx, Entry{Name: name, Version: v, Values: map[string]secret.Text{password: hidden(value)}}); err != nil {
		return Version{}, err
	}
	delete(p.planned, name)
	return v, nil
}
