package cepler

import (
	"strconv"
	"strings"
)

// scanState reads a state that is in the very form that Marshal writes; ok is
// false for any other. A file of 1.5 MB takes it a few milliseconds, where a
// YAML parser needs a hundred.
func scanState(text string) (s *State, ok bool) {
	r := scanner{rest: text}
	s = &State{}
	ok = r.skip("---\nversion: ") && r.version(&s.Version) &&
		r.skip("current:\n  head_commit: ") && r.snapshot(&s.Current, "  ", 0) &&
		r.optional("propagated_from: ", &s.PropagatedFrom) && r.queue(s) &&
		strings.Trim(r.rest, "\n") == ""
	return s, ok
}

// scanner reads a state file from its front. Its methods report whether what
// they look for was there.
type scanner struct{ rest string }

func (r *scanner) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(r.rest, prefix)
	r.rest = rest
	return ok
}

func (r *scanner) version(n *uint64) bool {
	digits, rest, ok := strings.Cut(r.rest, "\n")
	r.rest = rest
	var err error
	*n, err = strconv.ParseUint(digits, 10, 64)
	return ok && err == nil && *n <= lastVersion
}

func (r *scanner) queue(s *State) bool {
	if !r.skip("propagation_queue:\n") {
		return true
	}
	files := len(s.Current.Files)
	for r.skip("  - head_commit: ") {
		var queued Snapshot
		if !r.snapshot(&queued, "    ", files) {
			return false
		}
		files = len(queued.Files)
		s.Queue = append(s.Queue, queued)
	}
	return len(s.Queue) > 0
}

// snapshot reads a snapshot from behind `head_commit: `. files is how many
// files it may have.
func (r *scanner) snapshot(s *Snapshot, indent string, files int) bool {
	if !r.value(&s.Head) || !r.optional(indent+"propagated_head: ", &s.PropagatedHead) {
		return false
	}
	s.AnyDirty = r.skip(indent + "any_dirty: true\n")
	s.Files = make(map[string]File, files)
	if r.skip(indent + "files: {}\n") {
		return true
	}
	if !r.skip(indent + "files:\n") {
		return false
	}
	labels := labelsAt(indent)
	for r.skip(labels.key) {
		var key string
		var f File
		if !r.quoted(&key) || !r.skip(":\n") || !r.file(&f, &labels) {
			return false
		}
		s.Files[key] = f
	}
	return len(s.Files) > 0
}

// labels are what the lines of a file begin with.
type labels struct{ key, null, hash, dirty, from, message string }

func labelsAt(indent string) labels {
	field := indent + "    "
	return labels{
		key:     indent + "  \"",
		null:    field + "file_hash: ~\n",
		hash:    field + "file_hash: ",
		dirty:   field + "dirty: true\n",
		from:    field + "from_commit: ",
		message: field + "message: ",
	}
}

func (r *scanner) file(f *File, l *labels) bool {
	if !r.skip(l.null) && (!r.skip(l.hash) || !r.notNull() || !r.value(&f.Hash)) {
		return false
	}
	f.Dirty = r.skip(l.dirty)
	return r.skip(l.from) && r.value(&f.From) && r.skip(l.message) && r.value(&f.Message)
}

// optional reads a line that may be missing.
func (r *scanner) optional(label string, value *string) bool {
	return !r.skip(label) || r.notNull() && r.value(value)
}

// notNull refuses the words for null, which mean something else than a text
// where a value may be missing.
func (r *scanner) notNull() bool {
	return !strings.HasPrefix(r.rest, "~\n") && !strings.HasPrefix(r.rest, "null\n")
}

// value reads a text up to the end of its line.
func (r *scanner) value(value *string) bool {
	if r.skip(`"`) {
		return r.quoted(value) && r.skip("\n")
	}
	end := strings.IndexByte(r.rest, '\n')
	if end <= 0 {
		return false
	}
	*value, r.rest = r.rest[:end], r.rest[end+1:]
	return !hasMeaning(*value)
}

// quoted reads a text from behind its opening quote to behind the closing one.
func (r *scanner) quoted(value *string) bool {
	end := r.run()
	if end < len(r.rest) && r.rest[end] == '"' {
		*value, r.rest = r.rest[:end], r.rest[end+1:]
		return true
	}
	return r.escaped(value)
}

// run is how far the text goes that stands for itself inside quotes.
func (r *scanner) run() int {
	for i := range len(r.rest) {
		if c := r.rest[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(r.rest)
}

// escaped reads a quoted text with escapes in it.
func (r *scanner) escaped(value *string) bool {
	var out strings.Builder
	for {
		end := r.run()
		if end == len(r.rest) || r.rest[end] < ' ' {
			return false
		}
		out.WriteString(r.rest[:end])
		isEnd := r.rest[end] == '"'
		r.rest = r.rest[end+1:]
		if isEnd {
			*value = out.String()
			return true
		}
		c, ok := r.escape()
		if !ok {
			return false
		}
		out.WriteByte(c)
	}
}

// escape reads what is behind a backslash.
func (r *scanner) escape() (byte, bool) {
	if r.skip("u00") {
		if len(r.rest) < 2 {
			return 0, false
		}
		n, err := strconv.ParseUint(r.rest[:2], 16, 8)
		r.rest = r.rest[2:]
		return byte(n), err == nil && n < 0x80
	}
	if r.rest == "" {
		return 0, false
	}
	i := strings.IndexByte(`btnfr"\`, r.rest[0])
	if i < 0 {
		return 0, false
	}
	r.rest = r.rest[1:]
	return "\b\t\n\f\r\"\\"[i], true
}

// hasMeaning reports whether YAML might take a plain text, which is not empty,
// for something else than itself.
func hasMeaning(s string) bool {
	if strings.IndexByte("&*?|-<>=!%@. ", s[0]) >= 0 || s[len(s)-1] == ' ' {
		return true
	}
	for i := range len(s) {
		if quoted(s[i]) {
			return true
		}
	}
	return false
}
