package visible_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

func TestWhatActsOnATerminalIsWrittenAsAnEscape(t *testing.T) {
	for in, want := range map[string]struct{ line, text string }{
		"feat: plain":                        {"feat: plain", "feat: plain"},
		"grüße, 日本語 🎉":                       {"grüße, 日本語 🎉", "grüße, 日本語 🎉"},
		"clipboard \x1b]52;c;cm0gLXJm\x07":   {`clipboard \x1b]52;c;cm0gLXJm\x07`, `clipboard \x1b]52;c;cm0gLXJm\x07`},
		"colour \x1b[31mred\x1b[0m":          {`colour \x1b[31mred\x1b[0m`, `colour \x1b[31mred\x1b[0m`},
		"C1 \u009b31m":                       {`C1 \x9b31m`, `C1 \x9b31m`},
		"DEL \x7f":                           {`DEL \x7f`, `DEL \x7f`},
		"safe\rerror: overwritten":           {"safe error: overwritten", "safe\nerror: overwritten"},
		"two\r\nlines\tand a tab":            {"two  lines and a tab", "two\nlines\tand a tab"},
		"reversed \u202etxt.exe\u202c":       {`reversed \u202etxt.exe\u202c`, `reversed \u202etxt.exe\u202c`},
		"isolates \u2066a\u2069, mark\u200f": {`isolates \u2066a\u2069, mark\u200f`, `isolates \u2066a\u2069, mark\u200f`},
		"separators \u2028\u2029.":           {"separators   .", `separators \u2028\u2029.`},
		"not UTF-8 \xff\x9b31m":              {"not UTF-8 \ufffd\ufffd31m", "not UTF-8 \ufffd\ufffd31m"},
		"null \x00":                          {`null \x00`, `null \x00`},
	} {
		assert.Equal(t, want.line, visible.Line(in))
		assert.Equal(t, want.text, visible.Text(in))
	}
}

func TestNumbersAndLists(t *testing.T) {
	assert.Equal(t, "1 file, 0 files, 2 files", visible.List([]string{visible.Count(1, "file"), visible.Count(0, "file"), visible.Count(2, "file")}, 3))
	assert.Equal(t, "a and 2 more", visible.List([]string{"a", "b", "c"}, 1))
	assert.Empty(t, visible.List(nil, 1))
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"feat: x", "\x1b]0;title\x07", "a\r\nb", "\u202e", "\xff", "\u0085\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, text := visible.Line(s), visible.Text(s)
		acts := func(r rune) bool { return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r == '\u2028' }
		if strings.ContainsFunc(line, acts) || !utf8.ValidString(line) {
			t.Errorf("Line(%q) = %q", s, line)
		}
		if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(text), acts) || !utf8.ValidString(text) {
			t.Errorf("Text(%q) = %q", s, text)
		}
		if visible.Line(line) != line || visible.Text(text) != text {
			t.Errorf("a second pass changes %q", s)
		}
	})
}
