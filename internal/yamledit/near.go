package yamledit

import (
	"fmt"
	"slices"
	"strings"
)

// suggest says which of the known names may have been meant, and lists them.
func suggest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best, distance := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	var b strings.Builder
	if best != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", word(best))
	}
	const most = 12
	shown := known[:min(len(known), most)]
	b.WriteString("; there is " + strings.Join(shown, ", "))
	if len(known) > most {
		fmt.Fprintf(&b, " and %d more", len(known)-most)
	}
	return b.String()
}

// editDistance counts the insertions, deletions and replacements between two
// short words.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// unique keeps the first of equal names.
func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
