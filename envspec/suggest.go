package envspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/near"
)

// didYouMean gives ` Did you mean "x"?`, with its leading space, where one of the names is
// near enough to what was given, else "".
func didYouMean(given string, names []string) string {
	if best := near.Of(given, names); best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	if some := sharing(given, names); len(some) > 0 {
		return fmt.Sprintf(" Did you mean %s?", list(some, "or"))
	}
	return ""
}

// meantChoice is didYouMean for what may be one of the names already, as another tool's word for it is.
func meantChoice(meant string, names []string) string {
	if slices.Contains(names, meant) {
		return fmt.Sprintf(" Did you mean %q?", meant)
	}
	return didYouMean(meant, names)
}

// choices gives a suggestion, or where none is near, all there is.
func choices(given string, names []string) string {
	if hint := didYouMean(given, names); hint != "" || len(names) == 0 {
		return hint
	}
	if len(names) == 1 {
		return " There is " + list(names, "and") + "."
	}
	if len(names) > many {
		return fmt.Sprintf(" There are %s and %d more.", strings.Join(quoted(names[:many]), ", "), len(names)-many)
	}
	return " There are " + list(names, "and") + "."
}

// many is how many names are listed at most.
const many = 12

// sharing gives up to three names of which one of the two begins the other.
func sharing(given string, names []string) []string {
	given = strings.ToLower(given)
	var out []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if len(given) >= 3 && len(name) >= 3 && (strings.HasPrefix(name, given) || strings.HasPrefix(given, name)) {
			out = append(out, name)
		}
	}
	if len(out) > 3 {
		return nil
	}
	return out
}
