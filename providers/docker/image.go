package docker

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// ensureImage gives the reference of the container's image after pulling or building it if it is not
// there. The same image is pulled or built once, however many containers want it.
func (p *Provider) ensureImage(ctx context.Context, c providers.Change, body *envspec.Container, report event.Sink) (string, error) {
	ref := cmp.Or(body.Pinned, body.Image)
	if body.Build != nil {
		var err error
		if ref, err = buildTag(c, body); err != nil {
			return "", err
		}
	}
	always := body.Pull == "always" && body.Build == nil
	key := ref + " " + body.Platform
	if always {
		key += " newest" // once for all who ask so
	}
	again := body.Build != nil && c.Node.Anew != ""
	if again {
		key += " again" // once
	}
	if _, ok := p.present.Load(key); ok {
		return ref, nil
	}
	unlock, err := p.images.lock(ctx, key)
	if err != nil {
		return "", err
	}
	defer unlock()
	is, there, err := p.inspectImage(ctx, ref, body.Platform)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", ref, err)
	}
	switch {
	case there && !always && !again:
	case body.Pull == "never":
		return "", fmt.Errorf("image %s is not on this engine, and `pull = \"never\"`; load or build it there, or let it be pulled", ref)
	case body.Build != nil:
		err = p.build(ctx, c, body, ref, report)
	default:
		err = p.pull(ctx, ref, body.Platform, report)
	}
	if err != nil {
		return "", err
	}
	if !there || always || again {
		if is, there, err = p.inspectImage(ctx, ref, body.Platform); err != nil {
			return "", fmt.Errorf("image %s: %w", ref, err)
		}
		if body.Build == nil && !there && is.ID != "" { // an engine pulls what there is, whatever was asked for
			return "", pullError(ref, body.Platform, fmt.Errorf("no matching manifest: it is for %s alone", platformText(is.Os, is.Architecture, is.Variant)))
		}
	}
	if body.Build == nil || body.Build.Tag == "" { // envctl's own are what they are
		if err := p.warnEmulated(ctx, ref, body.Platform, is, report); err != nil {
			return "", err
		}
	}
	p.present.Store(key, true)
	return ref, nil
}

// imagePresent reports whether the engine has ref for the platform; "" is any.
func (p *Provider) imagePresent(ctx context.Context, ref, platform string) (bool, error) {
	_, there, err := p.inspectImage(ctx, ref, platform)
	return there, err
}

func (p *Provider) inspectImage(ctx context.Context, ref, platform string) (is image.InspectResponse, there bool, err error) {
	is, err = p.api.ImageInspect(ctx, ref)
	if isNotFound(err) {
		return is, false, nil
	}
	return is, err == nil && fitsPlatform(is, platform), err
}

func fitsPlatform(is image.InspectResponse, platform string) bool {
	want := platformOf(platform)
	return want == nil || is.Os == want.OS && (want.Architecture == "" || is.Architecture == want.Architecture) &&
		(want.Variant == "" || is.Variant == "" || is.Variant == want.Variant)
}

// imageDigest prefers the digest of the repository that ref names over the image's id, which is what
// remains of one that was never pushed or pulled.
func imageDigest(ref string, is image.InspectResponse) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return is.ID
	}
	for _, text := range is.RepoDigests {
		repo, digest, _ := strings.Cut(text, "@")
		if r, err := reference.ParseNormalizedNamed(repo); err == nil && r.Name() == named.Name() {
			return digest
		}
	}
	return is.ID
}
