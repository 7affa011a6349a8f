package resolve

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/distribution/reference"

	"github.com/envctl/envctl/envspec"
)

// Pin holds the images of an environment's containers and builds to a lock, and gives what its machines fetch the sums
// that the lock has. What the lock lacks stays as written.
func Pin(in Input, l *envspec.Lock) error {
	if l == nil {
		return nil
	}
	x := newIndex(l)
	for _, m := range in.Environment.Machines {
		for _, layer := range m.Layers {
			if s := layer.Source(); s != nil && s.SHA256 == "" {
				s.SHA256 = x.files[s.Where()].SHA256
			}
		}
	}
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

// Unsummed fails where a machine is to fetch a file that neither the spec nor the lock knows the sum of. Taking whatever
// the server gives would make the plan depend on it.
func Unsummed(env *envspec.Environment) error {
	var lines []string
	for _, m := range env.Machines {
		for _, l := range m.Layers {
			if s := l.Source(); s != nil && s.URL != "" && s.SHA256 == "" {
				lines = append(lines, fmt.Sprintf("\n  %s, %s: %s", m.Addr, l.ID(), s.Where()))
			}
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("what these URLs are to give is not known:%s\nRun \"envctl lock\", which fetches each once and writes down its sum, or write the sum into the spec as sha256", strings.Join(lines, ""))
}
