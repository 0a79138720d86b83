package version

import (
	"bytes"
	"slices"
	"strings"
)

// PrependChangelog puts the entry of a version above those of earlier ones, below
// a title, an introduction and what is unreleased. An entry that the version has
// already is replaced. Every other byte stays; lines of the entry end as the
// first one of the changelog does.
func PrependChangelog(old, entry []byte, v Version) []byte {
	const mark = "\ufeff" // of the byte order, stays at the beginning
	if rest, ok := bytes.CutPrefix(old, []byte(mark)); ok {
		return append([]byte(mark), PrependChangelog(rest, entry, v)...)
	}
	entry = slices.Concat(bytes.TrimSpace(entry), []byte("\n")) // append would write into the caller's
	lines := splitLines(old)
	ending := "\n"
	if len(lines) > 0 && strings.HasSuffix(strings.TrimSuffix(lines[0].text, "\n"), "\r") {
		ending = "\r\n"
		entry = bytes.ReplaceAll(bytes.ReplaceAll(entry, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte(ending))
	}
	c := changelog{lines: lines, ending: ending}
	first, end := c.entry(v)
	if first < 0 {
		return c.insert(c.place(), entry)
	}
	return []byte(c.text(0, first) + string(entry) + c.text(end, len(lines)))
}

// ChangelogEntry is a version's entry in a changelog, from its heading to the next
// one; false when there is none.
func ChangelogEntry(text []byte, v Version) ([]byte, bool) {
	plain := strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n")
	c := changelog{lines: splitLines([]byte(plain))}
	first, end := c.entry(v)
	if first < 0 {
		return nil, false
	}
	return []byte(strings.TrimSpace(c.text(first, end)) + "\n"), true
}

type line struct {
	text    string // with its end
	heading bool   // of the second level or the first
	version *Version
}

type changelog struct {
	lines  []line
	ending string
}

// splitLines keeps line ends, and knows headings from what is in a code block.
func splitLines(text []byte) []line {
	var all []line
	for raw := range strings.Lines(string(text)) {
		all = append(all, line{text: raw})
	}
	endless := map[byte]int{} // the shortest marks that were seen to have no end
	for i := 0; i < len(all); i++ {
		bare := strings.TrimRight(all[i].text, "\r\n")
		if mark := fenceMark(bare); mark != "" {
			if n := endless[mark[0]]; n > 0 && len(mark) >= n {
				continue
			}
			length := fenced(all[i+1:], mark)
			if length == 0 {
				endless[mark[0]] = len(mark)
			}
			i += length
			continue
		}
		all[i].heading = strings.HasPrefix(bare, "# ") || strings.HasPrefix(bare, "## ")
		all[i].version = headingVersion(bare)
	}
	return all
}

// fenced counts the lines of a code block, with its last one. A block that never
// ends is none: an entry below it would be lost from sight.
func fenced(lines []line, mark string) int {
	for i, l := range lines {
		bare := strings.TrimRight(l.text, " \t\r\n")
		if end := fenceMark(bare); strings.HasPrefix(end, mark) && strings.HasSuffix(bare, end) && strings.TrimLeft(bare, " ") == end {
			return i + 1
		}
	}
	return 0
}

// fenceMark is what opens or ends a code block.
func fenceMark(line string) string {
	trimmed := strings.TrimLeft(line, " ")
	for _, c := range []string{"`", "~"} {
		if n := len(trimmed) - len(strings.TrimLeft(trimmed, c)); n >= 3 && len(line)-len(trimmed) < 4 {
			return trimmed[:n]
		}
	}
	return ""
}

// headingVersion is the version that a heading is about, as in "## [1.2.3] -
// 2026-01-31", "## v1.2.3" and "## [1.2.3](https://…)".
func headingVersion(line string) *Version {
	rest, ok := strings.CutPrefix(line, "## ")
	if !ok {
		return nil
	}
	name := strings.TrimPrefix(strings.TrimSpace(rest), "[")
	if end := strings.IndexAny(name, "]( \t"); end >= 0 {
		name = name[:end]
	}
	v, ok := ParseTag(name[strings.LastIndex(name, "/")+1:], "")
	if !ok {
		return nil
	}
	return &v
}

// entry is where a version's entry is, without the empty lines behind it; -1
// when there is none.
func (c changelog) entry(v Version) (first, end int) {
	for i, l := range c.lines {
		if l.version == nil || l.version.String() != v.String() {
			continue
		}
		end := i + 1
		for end < len(c.lines) && !c.lines[end].heading {
			end++
		}
		return i, c.withoutTail(i+1, end)
	}
	return -1, -1
}

// withoutTail leaves out empty lines and, at the end of the text, link
// definitions: they belong to the whole.
func (c changelog) withoutTail(low, end int) int {
	last := end == len(c.lines)
	for end > low {
		text := strings.TrimSpace(c.lines[end-1].text)
		if text != "" && (!last || !isLinkDefinition(text)) {
			break
		}
		end--
	}
	return end
}

func isLinkDefinition(line string) bool {
	return strings.HasPrefix(line, "[") && strings.Contains(line, "]: ")
}

// place is the line that a new entry goes before.
func (c changelog) place() int {
	for i, l := range c.lines {
		if l.version != nil {
			return i
		}
	}
	return c.withoutTail(0, len(c.lines))
}

func (c changelog) text(from, to int) string {
	var b strings.Builder
	for _, l := range c.lines[from:to] {
		b.WriteString(l.text)
	}
	return b.String()
}

// insert separates the entry from what is around it by an empty line.
func (c changelog) insert(at int, entry []byte) []byte {
	before, after := c.text(0, at), c.text(at, len(c.lines))
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += c.ending
	}
	if before != "" && (at == 0 || strings.TrimSpace(c.lines[at-1].text) != "") {
		before += c.ending
	}
	if after != "" && strings.TrimSpace(c.lines[at].text) != "" {
		after = c.ending + after
	}
	return []byte(before + string(entry) + after)
}
