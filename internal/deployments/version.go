package deployments

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// Version is one state of an environment, as Concourse keeps it. Trigger and
// Version are those of the Rust cepler resource; the other keys make the
// version say by itself which files it stands for, so that it can be fetched
// again at any time.
type Version struct {
	// Trigger is the commit the state became complete with.
	Trigger string `json:"trigger" concourse:"required"`
	// Version is the number the state has, or will get, when it is recorded.
	Version string `json:"version,omitempty"`
	// Files is the digest of the state's files (see contentDigest). Versions
	// of the Rust resource have none.
	Files string `json:"files,omitempty"`
	// Config is the commit whose config decided, where that is not the
	// trigger's own: a gate may end before the config was changed.
	Config string `json:"config,omitempty"`
	// Environment is the one that was recorded, where a put was told another one
	// than its source names.
	Environment string `json:"environment,omitempty"`
}

// number is the version's counter, 0 when it has none.
func (v Version) number() uint64 { return number(v.Version) }

// number is what a text says in digits, 0 when it says something else.
func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// isNumber reports whether the version is nothing but a number: all that a person can know of it.
func (v Version) isNumber() bool { return v == Version{Version: v.Version} && v.number() > 0 }

// contentDigest names a content: equal digests mean the same files, modes and
// upstream state. It is the start of a SHA-256 over one line a file.
func (c *content) contentDigest() string {
	h := sha256.New()
	_, _ = io.WriteString(h, c.PropagatedHead+"\n") // a hash never fails to write
	for _, key := range slices.Sorted(maps.Keys(c.Files)) {
		f := c.Files[key]
		source, path := cepler.SplitKey(key)
		where := f.From
		if source == latestSource {
			where = c.modes[path].String()
		}
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00%s\x00%t\n", key, f.Hash, where, f.Dirty)
	}
	return hex.EncodeToString(h.Sum(nil))[:digestLength]
}

const (
	latestSource = "latest"
	// digestLength is 80 bits: far more than the handful of candidates that a
	// digest tells apart, and short enough to be read.
	digestLength = 20
)
