package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/build"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/providers"
)

// lastLines is how many lines of a build's output, or of a container's log, an error shows.
const lastLines = 20

var (
	noNetwork = lazyregexp.New(`(?i)temporary failure (in name resolution|resolving)|could not resolve|name or service not known|network is unreachable|could not connect to|connection timed out|unable to connect|no such host|EAI_AGAIN|bad address|i/o timeout|dial tcp|failed to fetch|unable to locate package`)
	lostImage = lazyregexp.New(`(?i)no such (image|container)|unknown parent image|unable to find image|image not found`)
)

// lostTries is how often an image is made again that another instance's `down` took away before it was used.
const lostTries = 3

// build makes the image ref. It is tagged as the last thing, so that an image that was built halfway is
// never taken for whole.
func (p *Provider) build(ctx context.Context, c providers.Change, body *envspec.Container, ref string, report event.Sink) error {
	release, err := acquire(ctx, p.builds)
	if err != nil {
		return err
	}
	defer release()
	b := body.Build
	source, err := loadContext(b)
	if err != nil {
		return err
	}
	if planned := c.Node.Parts[BuildPart]; buildIdentity.MatchString(planned) && !hasSecrets(b) {
		now, err := source.identity(b, body.Platform)
		if err != nil {
			return err
		}
		if now != planned {
			return errors.New("what the image is built from changed since the plan was made; run the command again")
		}
	}
	opts := build.ImageBuildOptions{
		Tags: []string{ref}, BuildArgs: map[string]*string{}, Target: b.Target, Platform: body.Platform,
		Labels: imageLabels(c, b), CacheFrom: b.CacheFrom, NoCache: c.Node.Anew != "",
	}
	for k, v := range b.Args {
		value := v.Reveal()
		opts.BuildArgs[k] = &value
	}
	if p.hostNetwork.Load() {
		opts.NetworkMode = "host"
	}
	with, err := p.builder(ctx)
	if err != nil {
		return err
	}
	j := recipe{change: c, build: b, source: source, file: parseDockerfile(source.dockerfile, plainArgs(b)), egress: buildEgress(b, opts.BuildArgs), report: report}
	once := p.classicBuild
	if with.kit {
		once = p.kitBuild
	} else if len(b.Secrets) > 0 {
		return fmt.Errorf("a build with secrets needs BuildKit, and %s; take the secret blocks out, or let the engine use BuildKit", with.why)
	}
	for try := 0; ; try++ {
		said, err := once(ctx, j, opts)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case opts.NetworkMode == "" && said.offline && !said.inspected(err):
			// Without the cache, where a step may be that did without what it could not fetch.
			opts.NetworkMode, opts.NoCache = "host", true
			report(event.Event{Type: event.Warning,
				Message: "the build could not reach the network from the engine's bridge; building again on the host's network"})
			said, err = once(ctx, j, opts)
			if err == nil {
				p.hostNetwork.Store(true) // so the next build need not find out
				return nil
			}
		case try < lostTries && lostImage.MatchString(err.Error()):
			continue // a step was taken away that nobody used yet
		}
		return p.inspected(fmt.Errorf("building the image: %w%s", err, quoted("the build's last lines", said.lines)), b.Egress)
	}
}

// recipe is what a build is made from.
type recipe struct {
	change providers.Change
	build  *envspec.Build
	source *buildContext
	file   dockerfile
	egress stepEgress
	report event.Sink
}

// imageLabels mark a finished image.
func imageLabels(c providers.Change, b *envspec.Build) map[string]string {
	if b.Tag != "" {
		return map[string]string{labelShared: slug(b.Tag)}
	}
	return instanceLabels(c.Instance)
}

// tail keeps the last lines of a build's output, and whether any line speaks of a network that is not reached.
type tail struct {
	keep    int
	lines   []string
	offline bool
}

func (t *tail) add(line string) {
	t.lines = append(t.lines, line)
	if len(t.lines) > t.keep {
		t.lines = t.lines[len(t.lines)-t.keep:]
	}
}

// inspected reports whether a build failed at a TLS certificate, which another network does not change.
func (t *tail) inspected(err error) bool {
	_, yes := egress.Inspected(err.Error() + "\n" + strings.Join(t.lines, "\n"))
	return yes
}

// quoted gives lines as the end of an error's text, or nothing where there are none.
func quoted(what string, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n" + what + ":\n  " + strings.Join(lines, "\n  ")
}
