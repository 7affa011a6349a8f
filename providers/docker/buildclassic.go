package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/providers"
)

var buildStep = lazyregexp.New(`^Step (\d+)/(\d+) : (.*)`)

// classicBuild sends the whole context and follows the build to its end.
func (p *Provider) classicBuild(ctx context.Context, j recipe, opts build.ImageBuildOptions) (*tail, error) {
	said := &tail{keep: lastLines}
	pins, err := p.pins(ctx, j.build.From)
	if err != nil {
		return said, err
	}
	p.pullCaches(ctx, opts.CacheFrom, j.report)
	if opts.AuthConfigs, err = p.auth.configs(ctx, j.file.bases()); err != nil {
		return said, err
	}
	opts.Version, opts.Dockerfile, opts.Remove, opts.ForceRemove = build.BuilderV1, sentDockerfile, true, true
	label := labelInstruction(j.change, j.build)
	if len(opts.CacheFrom) > 0 {
		label = "" // a step of our own would make all that follow others than those of an image that was built elsewhere
	}
	text := j.file.rewrite(pins, label, j.egress.copied(), "")
	j.source.more = j.egress.sent()
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := j.source.tar(w, text)
		w.CloseWithError(err)
		sent <- err
	}()
	resp, err := p.api.ImageBuild(ctx, r, opts)
	if err == nil {
		err = readMessages(resp.Body, (&steps{tail: said, report: j.report}).read)
		_ = resp.Body.Close()
	}
	_ = r.Close() // an engine that refuses a build does not read it to its end
	if sendErr := <-sent; sendErr != nil && !errors.Is(sendErr, io.ErrClosedPipe) {
		err = sendErr
	}
	return said, err
}

// pullCaches gets the images whose layers may be used, as the classic builder knows those of the engine alone. A
// build can do without them.
func (p *Provider) pullCaches(ctx context.Context, refs []string, report event.Sink) {
	for _, ref := range refs {
		if there, err := p.imagePresent(ctx, ref, ""); there || err != nil {
			continue
		}
		if err := p.pull(ctx, ref, "", report); err != nil && ctx.Err() == nil {
			report(event.Event{Type: event.Warning, Message: "building without the layers of cache_from: " + err.Error()})
		}
	}
}

// steps follows what the classic builder says.
type steps struct {
	*tail
	report   event.Sink
	title    string // of the step that it is at
	coming   layers // of the image that the step fetches
	reported time.Time
}

func (s *steps) read(m message) {
	if m.Stream == "" && m.Status != "" {
		s.fetch(m)
		return
	}
	for line := range strings.SplitSeq(m.Stream, "\n") {
		line = strings.TrimRight(line, "\r ")
		if line == "" {
			continue
		}
		if len(s.coming.parts) > 0 {
			s.report(s.coming.event(s.title))
			s.coming = layers{}
		}
		if step := buildStep.FindStringSubmatch(line); step != nil {
			current, _ := strconv.ParseInt(step[1], 10, 64)
			total, _ := strconv.ParseInt(step[2], 10, 64)
			s.title = step[3]
			s.report(event.Event{Type: event.Progress, Message: s.title, Current: current, Total: total})
		}
		s.add(line)
		s.offline = s.offline || noNetwork.MatchString(line)
		s.report(event.Event{Type: event.Log, Message: line})
	}
}

// fetch tells of a layer that comes.
func (s *steps) fetch(m message) {
	if s.coming.add(m) && time.Since(s.reported) > reportEvery {
		s.reported = time.Now()
		s.report(s.coming.event(s.title))
	}
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
