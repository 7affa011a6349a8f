package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/build"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

// lastLines is how many lines of a build's output, or of a container's log, an error shows.
const lastLines = 20

var (
	noNetwork = regexp.MustCompile(`(?i)temporary failure (in name resolution|resolving)|could not resolve|name or service not known|network is unreachable|could not connect to|connection timed out|unable to connect|no such host|EAI_AGAIN|bad address|i/o timeout|dial tcp|failed to fetch|unable to locate package`)
	lostImage = regexp.MustCompile(`(?i)no such image|unable to find image|image not found`)
	buildStep = regexp.MustCompile(`^Step (\d+)/(\d+) : (.*)`)
)

// build makes the image ref. It is tagged as the last thing, so that an image that was built halfway is
// never taken for whole.
func (p *Provider) build(ctx context.Context, c providers.Change, body *envspec.Container, ref string, report event.Sink) error {
	release, err := acquire(ctx, p.builds)
	if err != nil {
		return err
	}
	defer release()
	b := body.Build
	if planned := c.Node.Parts[BuildPart]; buildIdentity.MatchString(planned) && !hasSecretArgs(b) {
		now, err := BuildIdentity(b, body.Platform)
		if err != nil {
			return err
		}
		if now != planned {
			return errors.New("what the image is built from changed since the plan was made; run the command again")
		}
	}
	source, err := loadContext(b)
	if err != nil {
		return err
	}
	file := parseDockerfile(source.dockerfile, plainArgs(b))
	auths, err := p.auth.configs(ctx, file.bases())
	if err != nil {
		return err
	}
	pins, err := p.pins(ctx, b.From)
	if err != nil {
		return err
	}
	text := file.rewrite(pins, labelInstruction(c, b))
	opts := build.ImageBuildOptions{
		Tags: []string{ref}, Dockerfile: sentDockerfile, Remove: true, ForceRemove: true, Version: build.BuilderV1,
		BuildArgs: map[string]*string{}, AuthConfigs: auths, Target: b.Target, Platform: body.Platform,
		Labels: imageLabels(c, b),
	}
	for k, v := range b.Args {
		value := v.Reveal()
		opts.BuildArgs[k] = &value
	}
	if p.hostNetwork.Load() {
		opts.NetworkMode = "host"
	}
	for try := 0; ; try++ {
		said, err := p.buildOnce(ctx, source, text, opts, report)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case opts.NetworkMode == "" && (said.offline || noNetwork.MatchString(err.Error())):
			// Without the cache, where a step may be that did without what it could not fetch.
			opts.NetworkMode, opts.NoCache = "host", true
			report(event.Event{Type: event.Warning,
				Message: "the build could not reach the network from the engine's bridge; building again on the host's network"})
			said, err = p.buildOnce(ctx, source, text, opts, report)
			if err == nil {
				p.hostNetwork.Store(true) // so the next build need not find out
				return nil
			}
		case try == 0 && lostImage.MatchString(err.Error()):
			continue // another environment's `down` took a layer away that nobody used yet
		}
		return fmt.Errorf("building the image: %w%s", err, quoted("the build's last lines", said.lines))
	}
}

// buildOnce sends the context and follows the build to its end.
func (p *Provider) buildOnce(ctx context.Context, source *buildContext, text string, opts build.ImageBuildOptions, report event.Sink) (*tail, error) {
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := source.tar(w, text)
		w.CloseWithError(err)
		sent <- err
	}()
	said := &tail{keep: lastLines}
	resp, err := p.api.ImageBuild(ctx, r, opts)
	if err == nil {
		err = readMessages(resp.Body, func(m message) { reportBuild(m, said, report) })
		_ = resp.Body.Close()
	}
	_ = r.Close() // an engine that refuses a build does not read it to its end
	if sendErr := <-sent; sendErr != nil && !errors.Is(sendErr, io.ErrClosedPipe) {
		err = sendErr
	}
	return said, err
}

func reportBuild(m message, said *tail, report event.Sink) {
	if m.Stream == "" && m.Status != "" {
		report(event.Event{Type: event.Progress, Message: m.Status, Current: m.Progress.Current, Total: m.Progress.Total})
		return
	}
	for line := range strings.SplitSeq(m.Stream, "\n") {
		line = strings.TrimRight(line, "\r ")
		if line == "" {
			continue
		}
		if step := buildStep.FindStringSubmatch(line); step != nil {
			current, _ := strconv.ParseInt(step[1], 10, 64)
			total, _ := strconv.ParseInt(step[2], 10, 64)
			report(event.Event{Type: event.Progress, Message: step[3], Current: current, Total: total})
		}
		said.add(line)
		said.offline = said.offline || noNetwork.MatchString(line)
		report(event.Event{Type: event.Log, Message: line})
	}
}

// pins gives each base image the reference that means exactly what was locked.
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

// imageLabels mark a finished image.
func imageLabels(c providers.Change, b *envspec.Build) map[string]string {
	if b.Tag != "" {
		return map[string]string{labelShared: slug(b.Tag)}
	}
	return instanceLabels(c.Instance)
}

// labelInstruction marks what is made on the way to an image, too, so that it is found and removed when
// a build was cut short. It does not name the instance: several may share what they build.
func labelInstruction(c providers.Change, b *envspec.Build) string {
	labels := imageLabels(c, b)
	delete(labels, labelInstance)
	var words []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, fmt.Sprintf("%q=%q", k, labels[k]))
	}
	return "LABEL " + strings.Join(words, " ")
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

// quoted gives lines as the end of an error's text, or nothing where there are none.
func quoted(what string, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n" + what + ":\n  " + strings.Join(lines, "\n  ")
}
