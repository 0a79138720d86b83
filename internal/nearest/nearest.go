// Package nearest finds the name that was most likely meant by a misspelt one.
package nearest

import "strings"

// longest bounds the work: names that people type are shorter.
const longest = 200

// Of is the known name that was most likely meant by word, or "" when none is
// close: at most a third of the letters may differ, or one. The first of several
// that are as close is taken. Case, blanks and punctuation between words do not count, so that
// privateKey means private_key.
func Of(word string, known []string) string {
	best, distance := "", max(1, len(word)/3)+1
	if len(word) > longest {
		return ""
	}
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		if d := edits(fold(word), fold(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(s))
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// that make b of a, in bytes.
func edits(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// Part is the one known name that word is the beginning of, or that has all words of the other between its underscores: repo and
// repository, token and access_token, git_depth and depth. It is "" when no name fits, or several do.
func Part(word string, known []string) string {
	const fewest = 3 // letters, fewer begin too much
	found := ""
	for _, k := range known {
		begins := len(fold(word)) >= fewest && strings.HasPrefix(fold(k), fold(word))
		if !begins && !within(word, k) && !within(k, word) {
			continue
		}
		if found != "" {
			return ""
		}
		found = k
	}
	return found
}

// within reports whether a name of at least three letters is a part of another one, between underscores.
func within(part, name string) bool {
	return len(part) > 2 && strings.Contains("_"+name+"_", "_"+part+"_")
}
