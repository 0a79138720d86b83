package threeway

import (
	"bytes"
	"slices"
)

// SamePatch reports whether the patch from before1 to after1 is the one from before2 to after2: the
// same lines removed and added between the same three lines of context, wherever in the file they
// are. White space does not count, as for git patch-id.
func SamePatch(before1, after1, before2, after2 []byte) bool {
	numbers := numbering{}
	return slices.EqualFunc(numbers.patch(before1, after1), numbers.patch(before2, after2), bytes.Equal)
}

// SameLines reports whether both changes remove and add the same lines in the same order, wherever they are.
func SameLines(before1, after1, before2, after2 []byte) bool {
	numbers := numbering{}
	return slices.EqualFunc(numbers.edits(before1, after1), numbers.edits(before2, after2), bytes.Equal)
}

// edits are the lines that are removed and added, each with a sign in front.
func (n numbering) edits(before, after []byte) (out [][]byte) {
	a, b := n.text(before), n.text(after)
	for _, c := range compare(a, b) {
		for _, line := range a.lines[c.before : c.before+c.removed] {
			out = append(out, append([]byte("-"), line...))
		}
		for _, line := range b.lines[c.after : c.after+c.added] {
			out = append(out, append([]byte("+"), line...))
		}
	}
	return out
}

// patch lists the lines of a patch, each with a sign in front and without white space.
func (n numbering) patch(before, after []byte) [][]byte {
	const context = 3 // lines
	a, b := n.text(before), n.text(after)
	var out [][]byte
	put := func(sign string, lines [][]byte) {
		for _, line := range lines {
			out = append(out, append([]byte(sign), bytes.Join(bytes.Fields(line), nil)...))
		}
	}
	at := 0 // how far a has been written
	for i, c := range compare(a, b) {
		if i > 0 {
			behind := min(at+context, c.before)
			put(" ", a.lines[at:behind])
			at = behind
		}
		put(" ", a.lines[max(at, c.before-context):c.before])
		put("-", a.lines[c.before:c.before+c.removed])
		put("+", b.lines[c.after:c.after+c.added])
		at = c.before + c.removed
	}
	if len(out) > 0 {
		put(" ", a.lines[at:min(at+context, len(a.lines))])
	}
	return out
}
