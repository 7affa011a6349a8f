package docker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/proto"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/lazyregexp"
)

// kitStep is how BuildKit names a step: [STAGE 2/5] RUN make.
var kitStep = lazyregexp.New(`^\[(.*?) ?(\d+)/(\d+)\] (.*)$`)

// trace follows what BuildKit does. It runs stages at once, so each step's lines are kept apart.
type trace struct {
	report  event.Sink
	steps   map[string]*kitVertex
	stages  map[string]int64 // how many steps each has
	done    int64
	broken  *kitVertex
	offline bool
}

type kitVertex struct {
	name     string // as BuildKit has it
	title    string // for a person
	counts   bool   // as a step
	started  bool
	done     bool
	coming   layers // of the image that it fetches
	reported time.Time
	unended  string // a line that has not come to its end yet
	tail     tail
}

func newTrace(report event.Sink) *trace {
	return &trace{report: report, steps: map[string]*kitVertex{}, stages: map[string]int64{}}
}

// read takes a message of the build's; those that are no trace say nothing of interest.
func (t *trace) read(m message) {
	var data []byte
	var status control.StatusResponse
	if m.ID != "moby.buildkit.trace" || json.Unmarshal(m.Aux, &data) != nil || proto.Unmarshal(data, &status) != nil {
		return
	}
	for _, v := range status.GetVertexes() {
		t.vertex(v)
	}
	for _, s := range status.GetStatuses() {
		t.status(s)
	}
	for _, l := range status.GetLogs() {
		t.log(l)
	}
}

func (t *trace) step(digest string) *kitVertex {
	v, ok := t.steps[digest]
	if !ok {
		v = &kitVertex{tail: tail{keep: lastLines}}
		t.steps[digest] = v
	}
	return v
}

func (t *trace) vertex(is *control.Vertex) {
	v := t.step(is.GetDigest())
	if v.name == "" {
		v.name, v.title = is.GetName(), strings.TrimPrefix(is.GetName(), "[internal] ")
		if m := kitStep.FindStringSubmatch(v.name); m != nil {
			// FROM is shared between builds that go on at once, under the name that one of them gave it.
			v.title, v.counts = m[4], !strings.HasPrefix(m[4], "FROM ")
			if total, err := strconv.ParseInt(m[3], 10, 64); err == nil && v.counts {
				t.stages[m[1]] = total - 1
			}
			v.tail.add("[" + strings.TrimSpace(m[1]+" "+m[2]+"/"+m[3]) + "] " + m[4])
		}
	}
	if is.GetStarted() != nil && !v.started {
		v.started = true
		current, total := t.position()
		t.report(event.Event{Type: event.Progress, Message: v.title, Current: current, Total: total})
	}
	if is.GetCompleted() != nil && !v.done {
		v.done = true
		t.lines(v, "\n")
		if v.counts {
			t.done++
		}
	}
	// A step that fetches is over more than once: it also is when it has found out what to fetch.
	if is.GetCompleted() != nil && is.GetError() == "" && len(v.coming.parts) > 0 {
		v.coming.end()
		t.report(v.coming.event(v.title))
	}
	// One that was cancelled because another failed says so, and is not what went wrong.
	if why := is.GetError(); why != "" && (t.broken == nil || !strings.Contains(why, "context canceled")) {
		t.broken = v
	}
}

// position gives how many steps are done, and of how many; nothing before any is known.
func (t *trace) position() (current, total int64) {
	for _, n := range t.stages {
		total += n
	}
	return min(t.done+1, total), total
}

// status is of bytes that come or go: a layer, the context.
func (t *trace) status(s *control.VertexStatus) {
	v := t.step(s.GetVertex())
	e := event.Event{Type: event.Progress, Message: v.title, Current: s.GetCurrent(), Total: s.GetTotal()}
	if v.coming.addKit(s) {
		e = v.coming.event(v.title)
	}
	if e.Total == 0 || time.Since(v.reported) < reportEvery {
		return // how much is to come is not known, or it was said just now
	}
	v.reported = time.Now()
	t.report(e)
}

func (t *trace) log(l *control.VertexLog) {
	t.lines(t.step(l.GetVertex()), string(l.GetMsg()))
}

// lines reports what a step printed, whole lines only: half of a secret would pass unmasked.
func (t *trace) lines(v *kitVertex, text string) {
	text = v.unended + text
	end := strings.LastIndexByte(text, '\n') + 1
	v.unended = text[end:]
	for line := range strings.SplitSeq(text[:end], "\n") {
		line = strings.TrimRight(line, "\r ")
		if line == "" {
			continue
		}
		v.tail.add(line)
		t.offline = t.offline || noNetwork.MatchString(line)
		t.report(event.Event{Type: event.Log, Message: line})
	}
}

// failed names the step that went wrong; "" where none did.
func (t *trace) failed() string {
	if t.broken == nil {
		return ""
	}
	return t.broken.name
}

// tail gives the last lines of the step that went wrong.
func (t *trace) tail() *tail {
	if t.broken == nil {
		return &tail{offline: t.offline}
	}
	last := t.broken.tail
	last.offline = t.offline
	return &last
}

var syntaxDirective = lazyregexp.New(`(?i)^#\s*syntax\s*=\s*(\S+)\s*$`)

// explainSyntax says of a build that failed before its first step that its syntax line needs a registry.
func (d dockerfile) explainSyntax(err error, failed string) error {
	m := syntaxDirective.FindStringSubmatch(d.lines[0])
	if err == nil || m == nil || !strings.Contains(failed, strings.TrimPrefix(m[1], "docker.io/")) {
		return err
	}
	return fmt.Errorf("%w; the Dockerfile's first line, %q, names an image that BuildKit fetches before it can read the rest: "+
		"let the engine reach that registry, or take the line out, as BuildKit knows the language of its day without it", err, d.lines[0])
}
