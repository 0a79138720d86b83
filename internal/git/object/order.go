package object

import (
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

func sortByte(e Entry, at int) byte {
	switch {
	case at < len(e.Name):
		return e.Name[at]
	case e.Mode == filemode.Dir:
		return '/'
	}
	return 0
}
