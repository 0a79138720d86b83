package object

import (
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// CompareEntries is git's order in trees: a folder sorts as if its name ended
// in a slash.
func CompareEntries(a, b Entry) int {
	n := min(len(a.Name), len(b.Name))
	if c := strings.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	return int(sortByte(a, n)) - int(sortByte(b, n))
}

// SortEntries puts the entries of a tree into its order. Here and elsewhere it is sort.Slice: slices.SortFunc is compiled anew for
// each type that it sorts, with some 10 kB, which every image would have.
func SortEntries(all []Entry) {
	sort.Slice(all, func(i, j int) bool { return CompareEntries(all[i], all[j]) < 0 })
}

func sortByte(e Entry, at int) byte {
	switch {
	case at < len(e.Name):
		return e.Name[at]
	case e.Mode == filemode.Dir:
		return '/'
	}
	return 0
}
