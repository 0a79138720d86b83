package semvergit

import (
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/memo"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// openMemo is where the answer to a check from the given version is kept.
func openMemo(src Source, given *Version) (memo.Memo[Version], error) {
	return memo.Open("semver-git", isDamaged, 1, src.URI, src.Branch, src.file(), src.InitialVersion, given)
}

func isDamaged(v Version) bool {
	_, err := version.Parse(v.Number)
	return err != nil || v.Commit != "" && !plumbing.IsHash(v.Commit)
}
