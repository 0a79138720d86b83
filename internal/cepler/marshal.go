package cepler

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Marshal writes the state as cepler 0.7 does, byte for byte: see
// needsQuotes for the one hard part. Bytes that are not UTF-8, which a state
// file can't hold, become U+FFFD.
func (s *State) Marshal() []byte {
	w := writer{}
	w.line("---")
	w.line("version: " + strconv.FormatUint(s.Version, 10))
	w.line("current:")
	w.snapshot("  ", "  ", s.Current)
	if s.PropagatedFrom != "" {
		w.text("propagated_from: ", s.PropagatedFrom)
	}
	if len(s.Queue) > 0 {
		w.line("propagation_queue:")
	}
	for _, queued := range s.Queue {
		w.snapshot("  - ", "    ", queued)
	}
	w.line("")
	return w.out
}

// writer collects the lines of a state file.
type writer struct{ out []byte }

func (w *writer) line(s string) {
	w.out = append(w.out, s...)
	w.out = append(w.out, '\n')
}

func (w *writer) text(before, value string) {
	w.out = append(w.out, before...)
	w.scalar(value)
	w.out = append(w.out, '\n')
}

// snapshot writes a snapshot; first is what its first line begins with, and
// indent what the others do.
func (w *writer) snapshot(first, indent string, s Snapshot) {
	w.text(first+"head_commit: ", s.Head)
	if s.PropagatedHead != "" {
		w.text(indent+"propagated_head: ", s.PropagatedHead)
	}
	if s.AnyDirty {
		w.line(indent + "any_dirty: true")
	}
	if len(s.Files) == 0 {
		w.line(indent + "files: {}")
		return
	}
	w.line(indent + "files:")
	for _, key := range slices.Sorted(maps.Keys(s.Files)) {
		w.file(indent+"  ", key, s.Files[key])
	}
}

func (w *writer) file(indent, key string, f File) {
	w.out = append(w.out, indent...)
	w.scalar(key)
	w.line(":")
	indent += "  "
	if f.Hash == "" {
		w.line(indent + "file_hash: ~")
	} else {
		w.text(indent+"file_hash: ", f.Hash)
	}
	if f.Dirty {
		w.line(indent + "dirty: true")
	}
	w.text(indent+"from_commit: ", f.From)
	w.text(indent+"message: ", f.Message)
}

func (w *writer) scalar(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if !needsQuotes(s) {
		w.out = append(w.out, s...)
		return
	}
	w.out = append(w.out, '"')
	for i := range len(s) {
		w.escaped(s[i])
	}
	w.out = append(w.out, '"')
}

func (w *writer) escaped(c byte) {
	if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
		w.out = append(w.out, c)
		return
	}
	if i := strings.IndexByte("\b\t\n\f\r\"\\", c); i >= 0 {
		w.out = append(w.out, '\\', `btnfr"\`[i])
		return
	}
	const hex = "0123456789abcdef"
	w.out = append(w.out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// needsQuotes reports whether yaml-rust 0.4.5 would write s in quotes. Its
// rules are not YAML's: `2020-01-01` stays plain, and so do the control
// characters 07, 08, 0b, 0c, 1b and 7f.
func needsQuotes(s string) bool {
	if s == "" || s[0] == ' ' || s[len(s)-1] == ' ' {
		return true
	}
	if strings.IndexByte("&*?|-<>=!%@.", s[0]) >= 0 || strings.HasPrefix(s, "0x") {
		return true
	}
	for i := range len(s) {
		if quoted(s[i]) {
			return true
		}
	}
	return isWord(s) || isRustNumber(s)
}

// quoted reports whether a byte anywhere in a text makes it be quoted: one of
// :{}[],#`"'\ or a control character but 07, 08, 0b, 0c and 1b.
func quoted(c byte) bool {
	const (
		low  = 1<<0x1b - 1 - 1<<0x07 - 1<<0x08 - 1<<0x0b - 1<<0x0c + 0xf<<0x1c + 1<<'"' + 1<<'#' + 1<<'\'' + 1<<',' + 1<<':'
		high = 1<<('['-64) + 1<<('\\'-64) + 1<<(']'-64) + 1<<('`'-64) + 1<<('{'-64) + 1<<('}'-64)
	)
	mask := uint64(low)
	if c >= 64 {
		mask = high
	}
	return c < 128 && mask>>(c&63)&1 == 1
}

// isWord reports whether s is one of the words that yaml-rust takes for a
// boolean or for null.
func isWord(s string) bool {
	switch s {
	case "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE",
		"on", "On", "ON", "off", "Off", "OFF", "null", "Null", "NULL", "~":
		return true
	}
	return false
}

// isRustNumber reports whether Rust parses s as an f64
// (https://doc.rust-lang.org/std/primitive.f64.html#method.from_str). Every
// i64 is one too.
func isRustNumber(s string) bool {
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	}
	for _, word := range []string{"inf", "infinity", "nan"} {
		if len(s) == len(word) && strings.EqualFold(s, word) {
			return true
		}
	}
	whole, s := digits(s)
	part := 0
	if strings.HasPrefix(s, ".") {
		part, s = digits(s[1:])
	}
	if whole+part == 0 {
		return false
	}
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return s == ""
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	power, s := digits(s)
	return power > 0 && s == ""
}

// digits counts the digits that s begins with; rest is what follows them.
func digits(s string) (n int, rest string) {
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n, s[n:]
}
