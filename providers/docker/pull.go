package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/lazyregexp"
)

// message is one line of what an engine says while it pulls or builds.
type message struct {
	Stream string `json:"stream"`
	Status string `json:"status"`
	ID     string `json:"id"`
	Error  string `json:"error"`
	// Aux is data of the kind that ID names.
	Aux      json.RawMessage `json:"aux"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
}

// readMessages hands each message of a stream to handle, until its end, or the first that is an error.
func readMessages(r io.Reader, handle func(message)) error {
	d := json.NewDecoder(r)
	for {
		var m message
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if m.Error != "" {
			return errors.New(m.Error)
		}
		handle(m)
	}
}

// reportEvery is how often bytes that come are told of.
const reportEvery = 100 * time.Millisecond

// pullTries is how often a pull is tried before a failure that may pass counts as one.
const pullTries = 3

func (p *Provider) pull(ctx context.Context, ref, platform string, report event.Sink) error {
	if strings.HasPrefix(ref, "sha256:") {
		return fmt.Errorf("image %s is not on this engine, and an id cannot be pulled; name the image, or load it with `docker load`", ref)
	}
	release, err := acquire(ctx, p.pulls)
	if err != nil {
		return err
	}
	defer release()
	header, err := p.auth.header(ctx, ref)
	if err != nil {
		return err
	}
	pause := 500 * time.Millisecond
	for try := 1; ; try++ {
		err := p.pullOnce(ctx, ref, platform, header, report)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if try == pullTries || !mayPass.MatchString(err.Error()) {
			return p.inspectedPull(ctx, registryOf(ref), pullError(ref, platform, err))
		}
		report(event.Event{Type: event.Progress, Message: fmt.Sprintf("pulling %s failed, trying again: %v", ref, err)})
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

func (p *Provider) pullOnce(ctx context.Context, ref, platform, header string, report event.Sink) error {
	report(event.Event{Type: event.Progress, Message: "pulling " + ref})
	body, err := p.api.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: header, Platform: platform})
	if err != nil {
		return err
	}
	defer body.Close()
	var coming layers
	var last time.Time
	err = readMessages(body, func(m message) {
		if coming.add(m) && time.Since(last) > reportEvery {
			last = time.Now()
			report(coming.event("pulling " + ref))
		}
	})
	if err == nil && len(coming.parts) > 0 {
		report(coming.event("pulled " + ref))
	}
	return err
}

var (
	mayPass     = lazyregexp.New(`(?i)timeout|connection reset|unexpected EOF|TLS handshake|temporary failure|no route to host|50[0234] |received unexpected HTTP status: 5`)
	rateLimited = lazyregexp.New(`(?i)toomanyrequests|rate limit|HTTP 429|too many requests`)
	refused     = lazyregexp.New(`(?i)unauthorized|authentication required|access .*denied|: denied|no basic auth`)
	noPlatform  = lazyregexp.New(`(?i)no matching manifest|does not match the specified platform|does not provide the specified platform`)
	unknown     = lazyregexp.New(`(?i)manifest unknown|not found`)
)

// pullError says what to do about a pull that failed.
func pullError(ref, platform string, err error) error {
	domain := registryOf(ref)
	hint := "see that this computer and its Docker engine reach " + domain
	switch text := err.Error(); {
	case rateLimited.MatchString(text):
		hint = domain + " limits how much may be pulled; wait, or `docker login " + domain + "`"
	case noPlatform.MatchString(text):
		hint = "the image does not exist for this platform"
		if platform != "" {
			hint = "the image does not exist for platform " + platform
		}
		hint += "; set `platform` to one that it has, as \"linux/amd64\""
	case refused.MatchString(text):
		hint = "see that the name is right, and `docker login " + domain + "` if the image is private"
	case unknown.MatchString(text):
		hint = "see that the name and tag are right"
	}
	return fmt.Errorf("pulling %s: %w; %s", ref, err, hint)
}

// registryOf gives the name of the registry that ref is in.
func registryOf(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "the registry"
	}
	return reference.Domain(named)
}

// wait returns after d, or with an error when ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
