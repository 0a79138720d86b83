package pack

import (
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// The limits on what a server may send. Each is far above what a repository of
// people holds, and keeps the memory of a program below some 100 MiB.
const (
	// maxPack is the size of a pack in bytes. Offsets of 31 bits need no second
	// table in git's index.
	maxPack = 1<<31 - 1
	// maxObjects is the number of objects of a pack. Each takes about 80 bytes of
	// memory while it is indexed.
	maxObjects = 1 << 20
	// maxChain is the number of deltas that build on each other; git's own limit.
	maxChain = 4096
	// maxDelta is the size in bytes of an object that a delta makes, and of one that
	// it builds on. A delta of a few bytes can make gigabytes, so the size is read
	// from its head first.
	maxDelta = 256 << 20
	// maxUnpacked is how many bytes the deltas of one pack may make altogether. It
	// limits time: a pack of a kilobyte could keep a processor busy for hours.
	maxUnpacked = 8 << 30
	// MaxWhole is the size in bytes of an object that is read as a whole: a commit, a
	// tree, a tag, or a file that is parsed. Files that are delivered are streamed.
	MaxWhole = 32 << 20

	// MaxTreeDepth ends the reading of trees that hold themselves over and over: folders in each other.
	MaxTreeDepth = 4096
	// MaxFiles is how many files and folders of one commit are looked at or delivered.
	// Ten trees of a few bytes can stand for billions of them.
	MaxFiles = 500_000
	// MaxDelivered is how many bytes the files of one delivery have.
	MaxDelivered = 4 << 30
	// maxHeld is how many bytes of objects are in memory at once because deltas that
	// come later build on them.
	maxHeld = 32 << 20
	// spoolFrom is the size in bytes from which an object that a delta makes or builds
	// on is kept in a temporary file.
	spoolFrom = 4 << 20
)

// Over is the error of a limit: what has the number, the number itself, and the
// limit with its unit.
func Over(what string, n, limit int64, unit string) error {
	return fmt.Errorf("%w: %s has %d %s, and the limit is %d", object.ErrLimit, what, n, unit, limit)
}
