package cepler

import (
	"errors"
	"math"
	"strings"
)

// lastVersion is the largest number of a record that has a next one.
const lastVersion = math.MaxUint64 - 1

// State is what a state file holds: what an environment runs, and what it ran
// before as far as environments after it have not taken that yet.
type State struct {
	// Version counts the records, from 1.
	Version uint64
	Current Snapshot
	// PropagatedFrom is the environment that had to be passed when Current was
	// recorded, "" without one.
	PropagatedFrom string
	// Queue has the earlier snapshots, the newest first.
	Queue []Snapshot
}

// Snapshot is what an environment consists of at one time.
type Snapshot struct {
	// Head is the commit the environment was deployed from (the trigger).
	Head string
	// PropagatedHead is the Head of the passed environment's snapshot that the
	// propagated files come from, "" without one.
	PropagatedHead string
	// AnyDirty says that some file is Dirty.
	AnyDirty bool
	// Files has the files by key; see SplitKey.
	Files map[string]File
}

// ByPath has the files by their paths, wherever they came from.
func (s Snapshot) ByPath() map[string]File {
	out := make(map[string]File, len(s.Files))
	for key, f := range s.Files {
		_, path := SplitKey(key)
		out[path] = f
	}
	return out
}

// File is one file of a snapshot.
type File struct {
	// Hash is the id of the blob; "" for a file that was not on disk.
	Hash string
	// Dirty says that the file on disk was not the one that Git has.
	Dirty bool
	// From is the commit that the file was last changed by, as seen from the
	// snapshot's Head, and Message that commit's Summary.
	From, Message string
}

// latest is the source of the files that an environment takes from the commit
// itself.
const latest = "latest"

// LatestKey is the key of a file that the environment takes from its commit.
func LatestKey(path string) string { return PropagatedKey(latest, path) }

// PropagatedKey is the key of a file that comes from the environment env.
func PropagatedKey(env, path string) string { return "{" + env + "}/" + path }

// SplitKey is the reverse of LatestKey and PropagatedKey: source is "latest" or
// the name of an environment. A key of another form has no source.
func SplitKey(key string) (source, path string) {
	if strings.HasPrefix(key, "{") {
		if end := strings.Index(key, "}/"); end > 0 {
			return key[1:end], key[end+2:]
		}
	}
	return "", key
}

// ErrState says that a state file does not parse.
var ErrState = errors.New("the state file is damaged, or was written by a newer program")

// maxState bounds a state file: a hundred queued snapshots of seventy files
// take 1.5 MB.
const maxState = 64 << 20
