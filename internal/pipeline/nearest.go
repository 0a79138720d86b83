package pipeline

import (
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// didYouMean is the mend for a misspelt name: the nearest known one, or the list of all.
func didYouMean(name string, known []string) string {
	if n := nearest.Of(name, slices.Sorted(slices.Values(known))); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	if len(known) == 0 {
		return ""
	}
	return "known ones: " + strings.Join(known, ", ")
}
