// Package near finds the name that was meant by one that is misspelt.
package near

import (
	"slices"
	"strings"
)

// Of gives the name with the fewest slips between it and what was given, or "": a third of the
// letters may be wrong, and no more than three. A capital letter for a small one is the least of slips.
func Of(given string, names []string) string {
	limit := min(3, (len(given)+1)/3)
	best, bestSlips, bestExact := "", limit+1, 0
	folded := strings.ToLower(given)
	for _, name := range slices.Sorted(slices.Values(names)) {
		if name == given || len(name)-len(given) > limit || len(given)-len(name) > limit {
			continue
		}
		n, exact := slips(folded, strings.ToLower(name)), slips(given, name)
		if n < bestSlips || n == bestSlips && best != "" && exact < bestExact {
			best, bestSlips, bestExact = name, n, exact
		}
	}
	return best
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
