package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/image"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/envctl/envctl/envspec"
)

// sharedPlatforms are those for which an image is locked besides the one that is asked for, where its
// registry has them: a lock written on a Mac is to be good for CI.
var sharedPlatforms = []string{"linux/amd64", "linux/arm64"}

// Platform is the engine's own, as "linux/amd64".
func (p *Provider) Platform(ctx context.Context) (string, error) {
	if err := p.connect(ctx); err != nil {
		return "", err
	}
	if known := p.platform.Load(); known != nil {
		return *known, nil
	}
	v, err := p.api.ServerVersion(ctx)
	if err != nil {
		return "", p.explain(err)
	}
	platform := platformText(v.Os, v.Arch, "")
	p.platform.Store(&platform)
	return platform, nil
}

// LockImage asks the registry what ref means now. The result has the platform asked for, and with pinned
// false the others that teams share. An image that only the engine has, because it was built or
// loaded there, is locked by its id.
func (p *Provider) LockImage(ctx context.Context, ref, platform string, pinned bool) ([]envspec.LockedImage, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	is, err := p.api.ImageInspect(ctx, ref)
	if err != nil && !isNotFound(err) {
		return nil, p.explain(fmt.Errorf("image %s: %w", ref, err))
	}
	own := []envspec.LockedImage{{Ref: ref, Platform: platform, LocalID: is.ID}}
	there := err == nil && fitsPlatform(is, platform)
	if there && imageDigest(ref, is) == is.ID && !holdsDigest(is, is.ID) {
		return own, nil
	}
	header, err := p.auth.header(ctx, ref)
	if err != nil {
		return nil, err
	}
	remote, err := p.api.DistributionInspect(ctx, ref, header)
	switch {
	case err == nil:
	case there && (unknown.MatchString(err.Error()) || refused.MatchString(err.Error())):
		return own, nil // a containerd store gives an image a digest that no registry knows
	default:
		return nil, p.explain(p.inspectedPull(ctx, registryOf(ref), pullError(ref, platform, err)))
	}
	digest := remote.Descriptor.Digest.String()
	want := []string{platform}
	if !pinned {
		want = append(want, sharedPlatforms...)
	}
	var locked []envspec.LockedImage
	for i, text := range want {
		if i > 0 && text == platform {
			continue
		}
		if offers(remote.Platforms, text) {
			locked = append(locked, envspec.LockedImage{Ref: ref, Platform: text, Digest: digest})
		} else if i == 0 {
			return nil, pullError(ref, platform, errors.New("no matching manifest for "+platform))
		}
	}
	return locked, nil
}

// offers reports whether a registry's list has a platform. Old images do not say what they are for.
func offers(list []ocispec.Platform, platform string) bool {
	want := platformOf(platform)
	for _, has := range list {
		if has.OS == "" && has.Architecture == "" {
			return true
		}
		if has.OS == want.OS && (want.Architecture == "" || has.Architecture == want.Architecture) &&
			(want.Variant == "" || platformText(has.OS, has.Architecture, has.Variant) == platformText(want.OS, want.Architecture, want.Variant)) {
			return true
		}
	}
	return len(list) == 0
}

// platformText leaves out the one variant that every arm64 machine has.
func platformText(os, arch, variant string) string {
	text := os + "/" + arch
	if variant != "" && (arch != "arm64" || variant != "v8") {
		text += "/" + variant
	}
	return text
}

// holdsDigest reports whether one of the image's repository digests is digest itself.
func holdsDigest(is image.InspectResponse, digest string) bool {
	for _, text := range is.RepoDigests {
		if len(text) > len(digest) && text[len(text)-len(digest):] == digest {
			return true
		}
	}
	return false
}
