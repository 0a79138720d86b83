package cepler

import (
	"maps"
	"slices"
)

// Kind is what happened to a file.
type Kind string

// The kinds of changes.
const (
	Added   Kind = "added"
	Changed Kind = "changed"
	Removed Kind = "removed"
)

// Change is one difference between two snapshots.
type Change struct {
	// Key is the file's key, and Path its path in the repository.
	Key, Path string
	Kind      Kind
	// Before is nil for an added file, After for a removed one.
	Before, After *File
}

// Diff lists the differences from before, nil for nothing, to after: first the
// added and changed files in the order of their keys, then the removed ones. A
// file that is dirty on either side differs from any other, even with the same
// hash; From, Message and the heads are not compared.
func Diff(before *Snapshot, after Snapshot) []Change {
	var had map[string]File
	if before != nil {
		had = before.Files
	}
	var changes []Change
	for _, key := range slices.Sorted(maps.Keys(after.Files)) {
		is := after.Files[key]
		was, ok := had[key]
		if ok && was.Hash == is.Hash && !was.Dirty && !is.Dirty {
			continue
		}
		_, path := SplitKey(key)
		change := Change{Key: key, Path: path, Kind: Added, After: &is}
		if ok {
			change.Kind, change.Before = Changed, &was
		}
		changes = append(changes, change)
	}
	for _, key := range slices.Sorted(maps.Keys(had)) {
		if _, ok := after.Files[key]; ok {
			continue
		}
		was := had[key]
		_, path := SplitKey(key)
		changes = append(changes, Change{Key: key, Path: path, Kind: Removed, Before: &was})
	}
	return changes
}
