package resolve

import (
	"cmp"
	"fmt"

	"github.com/distribution/reference"

	"github.com/envctl/envctl/envspec"
)

// Pin holds the images of an environment's containers and builds to a lock. What the lock lacks stays as written.
func Pin(in Input, l *envspec.Lock) error {
	if l == nil {
		return nil
	}
	x := newIndex(l)
	for _, c := range in.Environment.Containers {
		platform := cmp.Or(c.Platform, in.Platform)
		if c.Build == nil {
			if locked, ok := x.images[imageKey{c.Image, platform}]; ok {
				c.Pinned = pinned(locked)
			}
			continue
		}
		bases, err := in.Bases(c.Build)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Addr, err)
		}
		for _, ref := range bases {
			if locked, ok := x.images[imageKey{ref, platform}]; ok {
				if c.Build.From == nil {
					c.Build.From = map[string]string{}
				}
				c.Build.From[ref] = pinned(locked)
			}
		}
	}
	return nil
}

// pinned is the reference that an engine pulls and runs: the name with the tag it had, for people, and the
// digest, which counts.
func pinned(i envspec.LockedImage) string {
	named, err := reference.ParseNormalizedNamed(i.Ref)
	if i.LocalID != "" || err != nil {
		return cmp.Or(i.LocalID, i.Digest)
	}
	return reference.FamiliarString(named) + "@" + i.Digest
}
