package docker

import (
	"slices"
	"strings"

	control "github.com/moby/buildkit/api/services/control"

	"github.com/envctl/envctl/internal/event"
)

// layers are those of an image that comes, in the order in which the engine names them.
type layers struct{ parts []event.Part }

func (l *layers) find(name string) int {
	return slices.IndexFunc(l.parts, func(p event.Part) bool { return p.Name == name })
}

// part gives the layer of a name, a new one at the end.
func (l *layers) part(name string) *event.Part {
	i := l.find(name)
	if i < 0 {
		i = len(l.parts)
		l.parts = append(l.parts, event.Part{Name: name, State: event.PartWaiting})
	}
	return &l.parts[i]
}

// add notes what a pull says and reports whether that was about a layer.
func (l *layers) add(m message) bool {
	var state string
	switch m.Status {
	case "Pulling fs layer", "Waiting":
		state = event.PartWaiting
	case "Downloading":
		state = event.PartDownloading
	case "Verifying Checksum", "Download complete":
		state = event.PartDownloaded
	case "Extracting":
		state = event.PartUnpacking
	case "Pull complete", "Already exists":
		state = event.PartDone
	default:
		return false
	}
	l.part(m.ID).Move(state, m.Progress.Current, m.Progress.Total)
	return true
}

// addKit notes a status of BuildKit's and reports whether that was about a layer, which it names by its digest.
func (l *layers) addKit(s *control.VertexStatus) bool {
	digest, unpacks := strings.CutPrefix(s.GetID(), "extracting ")
	name, ok := strings.CutPrefix(digest, "sha256:")
	if !ok {
		return false
	}
	state := event.PartDownloading
	switch {
	case unpacks && s.GetCompleted() != nil:
		state = event.PartDone
	case unpacks:
		state = event.PartUnpacking
	case s.GetCompleted() != nil:
		state = event.PartDownloaded
	}
	name = name[:min(12, len(name))]
	if !unpacks && s.GetTotal() < smallLayer && l.find(name) < 0 {
		return false
	}
	if p := l.part(name); p.State != event.PartDone { // it may be told late of what came before
		p.Move(state, s.GetCurrent(), s.GetTotal())
	}
	return true
}

// smallLayer is a size below which what BuildKit fetches may be an image's description, which it tells of as of a
// layer: what is smaller counts once it is unpacked.
const smallLayer = 32 << 10

// end notes that all is there.
func (l *layers) end() {
	for i := range l.parts {
		l.parts[i].Move(event.PartDone, 0, 0)
	}
}

// event tells how far all of them are: in bytes that came.
func (l *layers) event(message string) event.Event {
	e := event.Event{Type: event.Progress, Message: message, Parts: slices.Clone(l.parts)}
	for _, p := range l.parts {
		e.Total += p.Total
		e.Current += p.Came()
	}
	return e
}
