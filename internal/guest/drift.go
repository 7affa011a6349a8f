package guest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// drift is how a machine differs from what a layer left there. The zero value says that it does not.
type drift struct {
	words []string
	parts []guestproto.Difference
}

// What is told of one layer is bounded: somebody may have removed a folder of ten thousand files.
const (
	maxWords = 3
	maxParts = 20
)

// otherSecret stands for what was found in place of a secret. It may be an older one, of which not even a digest
// is to be told.
const otherSecret = "(sensitive, changed)"

// drifted is a drift that words alone tell.
func drifted(format string, args ...any) drift {
	return drift{words: []string{fmt.Sprintf(format, args...)}}
}

func (d *drift) say(format string, args ...any) {
	d.words = append(d.words, fmt.Sprintf(format, args...))
}

// part notes what was left of one part and what is there now; "" says that there is none.
func (d *drift) part(name, want, is string) {
	d.parts = append(d.parts, guestproto.Difference{Name: name, Want: want, Is: is})
}

// hidden notes that one part which is secret differs.
func (d *drift) hidden(name string, gone bool) {
	is := otherSecret
	if gone {
		is = ""
	}
	d.part(name, secret.Mask, is)
}

// full reports whether there is no use in looking further.
func (d *drift) full() bool { return len(d.parts) >= maxParts }

// differences notes each part that is not the same in both.
func (d *drift) differences(want, is map[string]string) {
	names := map[string]bool{}
	for _, m := range []map[string]string{want, is} {
		for name := range m {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w, there := want[name]
		i, found := is[name]
		if there == found && w == i {
			continue
		}
		d.part(name, shownWhere(w, there), shownWhere(i, found))
	}
}

// shownWhere is what is shown of a value; one that is there and empty is a pair of quotes.
func shownWhere(text string, there bool) string {
	if there && text == "" {
		return `""`
	}
	return guestproto.Shown(text)
}

// inWords is all in one line; "" where nothing drifted.
func (d drift) inWords() string {
	if more := len(d.words) - maxWords; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(d.words[:maxWords], "; "), more)
	}
	return strings.Join(d.words, "; ")
}

// masked gives the parts that are told, with secrets of any layer out of them.
func (d drift) masked(mask func(string) string) []guestproto.Difference {
	parts := slices.Clone(d.parts[:min(maxParts, len(d.parts))])
	for i, p := range parts {
		parts[i] = guestproto.Difference{Name: mask(p.Name), Want: mask(p.Want), Is: mask(p.Is)}
	}
	return parts
}
