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

	"github.com/docker/docker/api/types/build"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/providers"
)

var buildStep = regexp.MustCompile(`^Step (\d+)/(\d+) : (.*)`)

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
	text := j.file.rewrite(pins, labelInstruction(j.change, j.build), j.egress.copied(), "")
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
		err = readMessages(resp.Body, func(m message) { reportBuild(m, said, j.report) })
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
