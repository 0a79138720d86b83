package threeway

import "bytes"

// text is a sequence of lines. Equal lines have equal numbers; the line feed belongs to the line.
type text struct {
	lines   [][]byte
	numbers []int32
	// changed marks the lines that the other text of a comparison lacks.
	changed []bool
}

// numbering gives equal lines of several texts the same number.
type numbering map[string]int32

func (n numbering) text(content []byte) *text {
	t := &text{}
	for line := range bytes.Lines(content) {
		number, ok := n[string(line)]
		if !ok {
			number = int32(len(n)) //nolint:gosec // the texts have at most MaxSize bytes
			n[string(line)] = number
		}
		t.lines, t.numbers = append(t.lines, line), append(t.numbers, number)
	}
	t.changed = make([]bool, len(t.lines))
	return t
}

// part is a copy of some lines, to be compared on its own.
func (t *text) part(from, length int) *text {
	return &text{
		lines: t.lines[from : from+length], numbers: t.numbers[from : from+length], changed: make([]bool, length),
	}
}

// fresh is the same text without marks.
func (t *text) fresh() *text { return t.part(0, len(t.lines)) }

func (t *text) mark(from, to int) {
	for i := from; i < to; i++ {
		t.changed[i] = true
	}
}

// change replaces lines of one text by lines of another one.
type change struct {
	before, removed int // position and number of the replaced lines
	after, added    int // position and number of the new lines
}

// compare lists the changes that make b of a, in order.
func compare(a, b *text) []change {
	d := differ{a: a, b: b}
	d.histogram(span{0, len(a.lines), 0, len(b.lines)})
	slide(a, b)
	slide(b, a)
	var all []change
	for i, j := 0, 0; i < len(a.lines) || j < len(b.lines); i, j = i+1, j+1 {
		c := change{before: i, after: j}
		for i < len(a.lines) && a.changed[i] {
			i++
		}
		for j < len(b.lines) && b.changed[j] {
			j++
		}
		c.removed, c.added = i-c.before, j-c.after
		if c.removed > 0 || c.added > 0 {
			all = append(all, c)
		}
	}
	return all
}
