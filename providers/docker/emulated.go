package docker

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/internal/event"
)

// warnEmulated says so where an image is made for another processor than the engine's.
func (p *Provider) warnEmulated(ctx context.Context, ref, platform string, is image.InspectResponse, report event.Sink) error {
	if is.Architecture == "" {
		return nil
	}
	engine, err := p.Platform(ctx)
	if err != nil {
		return err
	}
	has := platformOf(engine)
	if has == nil || !emulated(is.Architecture, has.Architecture) {
		return nil
	}
	why := "it does not exist for another, or was loaded so; look for one that is made for " + engine
	if platform != "" {
		why = "`platform` asks for it; without, an image is taken that is made for " + engine
	}
	report(event.Event{Type: event.Warning, Message: fmt.Sprintf(
		"image %s is made for %s and this engine is %s: where the engine emulates that, it runs several times slower, and else not at all (%s)",
		ref, platformText(is.Os, is.Architecture, is.Variant), engine, why)})
	return nil
}

// emulated reports whether an engine's processor does not run an image's programs itself. The 64-bit ones run those of
// their 32-bit forebears.
func emulated(image, engine string) bool {
	forebears := map[string]string{"amd64": "386", "arm64": "arm"}
	return image != engine && image != forebears[engine]
}
