package docker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/providers"
)

// pins gives each base image the reference that means exactly what was locked: a digest, or an image's id.
func (p *Provider) pins(ctx context.Context, from map[string]string) (map[string]string, error) {
	pins := map[string]string{}
	for ref, locked := range from {
		pins[ref] = locked
		if !strings.HasPrefix(locked, "sha256:") {
			continue
		}
		is, err := p.api.ImageInspect(ctx, locked)
		if err == nil && is.ID == locked {
			continue // an id
		}
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return nil, fmt.Errorf("base image %q: %w", ref, err)
		}
		pins[ref] = named.Name() + "@" + locked
	}
	return pins, nil
}

// kitPins are pins for BuildKit, which takes no id in FROM: it gets the name that has the id, or one that lasts until
// release is called.
func (p *Provider) kitPins(ctx context.Context, i providers.Instance, from map[string]string) (pins map[string]string, release func(), err error) {
	var made []string
	release = func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		for _, name := range made {
			_, _ = p.api.ImageRemove(cleanup, name, image.RemoveOptions{}) // a second name stays at the most, until `down`
		}
	}
	if pins, err = p.pins(ctx, from); err != nil {
		return nil, release, err
	}
	for ref, pin := range pins {
		if !strings.HasPrefix(pin, "sha256:") {
			continue
		}
		is, err := p.api.ImageInspect(ctx, ref)
		if err == nil && is.ID == pin {
			pins[ref] = ref
			continue
		}
		if is, err = p.api.ImageInspect(ctx, pin); err != nil {
			return nil, release, fmt.Errorf("base image %q: %w", ref, err)
		}
		name := baseName(i) + strings.ToLower(rand.Text())
		if err := p.api.ImageTag(ctx, pin, name); err != nil {
			return nil, release, fmt.Errorf("base image %q: %w", ref, err)
		}
		if len(is.RepoTags) > 0 { // else the name is all that keeps the image
			made = append(made, name)
		}
		pins[ref] = name
	}
	return pins, release, nil
}

// baseName begins the names that an instance's builds give their bases.
func baseName(i providers.Instance) string {
	sum := sha256.Sum256([]byte(i.Environment + "\x00" + i.ID))
	return "envctl/base:" + hex.EncodeToString(sum[:6]) + "-"
}

// removeBaseNames takes back what builds did not that were killed. The last name of an image keeps it, and stays.
func (p *Provider) removeBaseNames(ctx context.Context, i providers.Instance) error {
	images, err := p.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", baseName(i)+"*"))})
	if err != nil {
		return err
	}
	for _, img := range images {
		is, err := p.api.ImageInspect(ctx, img.ID)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		names := slices.DeleteFunc(slices.Clone(is.RepoTags), func(tag string) bool { return !strings.HasPrefix(tag, baseName(i)) })
		if len(names) == len(is.RepoTags) {
			names = names[min(1, len(names)):]
		}
		for _, name := range names {
			if _, err := p.api.ImageRemove(ctx, name, image.RemoveOptions{}); err != nil && !isNotFound(err) {
				return fmt.Errorf("image %s: %w", name, err)
			}
		}
	}
	return nil
}
