package yamledit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// suggest says which of the known names may have been meant, and lists them.
func suggest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	var b strings.Builder
	if best := nearest.Of(name, known); best != "" {
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
