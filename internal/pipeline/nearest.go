package pipeline

import "sort"

// nearest returns the known name closest to the given one, or "" when none is close enough to be a likely typing mistake
// (at most a third of the letters differ).
func nearest(name string, known []string) string {
	sort.Strings(known)
	best, bound := "", len(name)/3+1
	for _, k := range known {
		if d := distance(name, k); d <= bound && (best == "" || d < distance(name, best)) {
			best = k
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	older := make([]int, len(b)+1)
	for i := 1; i <= len(a); i++ {
		older, before, row = before, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// didYouMean is the mend for a misspelt name: the nearest known one, or the list of all.
func didYouMean(name string, known []string) string {
	if n := nearest(name, known); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	if len(known) == 0 {
		return ""
	}
	return "known ones: " + list(known)
}
