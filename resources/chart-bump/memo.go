package chartbump

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/memo"
)

// openMemo is where the answer to a check from the given version is kept.
func openMemo(src Source, given *Version) (memo.Memo[Version], error) {
	return memo.Open("chart-bump", isDamaged, 1, src.URI, src.Branch, src.valuesPath(), src.Images, given)
}

func isDamaged(v Version) bool {
	return !plumbing.IsHash(v.Commit) || strings.Trim(v.PR, "0123456789") != ""
}
