package cachixpaths

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// maxHashes is how many paths a version carries, so that it can be had again
// when the list it was made from is gone. Concourse stores and shows versions
// whole.
const maxHashes = 200

// Version is a set of store paths that were there at some time.
type Version struct {
	// Paths is the digest of the sorted paths: sha256:….
	Paths string `json:"paths" concourse:"required"`
	// Serial is the event: the time when the paths were there, or the newest
	// revision of the pins.
	Serial string `json:"serial"`
	// Hashes are those of the paths, if they are not too many.
	Hashes string `json:"hashes,omitempty"`
}

func newVersion(paths []nixcache.Path, serial string) Version {
	v := Version{Paths: digest(paths), Serial: serial}
	if len(paths) <= maxHashes {
		hashes := make([]string, len(paths))
		for i, p := range sorted(paths) {
			hashes[i] = p.Hash()
		}
		v.Hashes = strings.Join(hashes, " ")
	}
	return v
}

func sorted(paths []nixcache.Path) []nixcache.Path {
	return slices.SortedFunc(slices.Values(paths), func(a, b nixcache.Path) int { return strings.Compare(a.Base(), b.Base()) })
}

// digest is over the sorted paths, each with a newline.
func digest(paths []nixcache.Path) string {
	sum := sha256.New()
	for _, p := range sorted(paths) {
		_, _ = fmt.Fprintln(sum, p) // a hash takes everything
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// isDigest reports whether a text can be what digest gives.
func isDigest(text string) bool {
	sum, ok := strings.CutPrefix(text, "sha256:")
	data, err := hex.DecodeString(sum)
	return ok && err == nil && len(data) == sha256.Size
}
