package envspec

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean gives ` Did you mean "x"?`, with its leading space, where one of the names is
// near enough to what was given, else "".
func didYouMean(given string, names []string) string {
	if best := nearest(given, names); best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	if some := sharing(given, names); len(some) > 0 {
		return fmt.Sprintf(" Did you mean %s?", list(some, "or"))
	}
	return ""
}

// choices gives a suggestion, or where none is near, all there is.
func choices(given string, names []string) string {
	if hint := didYouMean(given, names); hint != "" || len(names) == 0 {
		return hint
	}
	return " There is " + list(names, "and") + "."
}

// nearest gives the name with the fewest slips between it and what was given, or "": a third of the
// letters may be wrong, and no more than three.
func nearest(given string, names []string) string {
	limit := min(3, (len(given)+1)/3)
	best, bestSlips := "", limit+1
	folded := strings.ToLower(given)
	for _, name := range slices.Sorted(slices.Values(names)) {
		if name == given || len(name)-len(given) > limit || len(given)-len(name) > limit {
			continue
		}
		if n := slips(folded, strings.ToLower(name)); n < bestSlips {
			best, bestSlips = name, n
		}
	}
	return best
}

// sharing gives up to three names of which one of the two begins the other.
func sharing(given string, names []string) []string {
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

// slips counts the letters that are missing, added, wrong, or swapped with their neighbour
// (the optimal string alignment distance).
func slips(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
