package yamledit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// splitKeys are the keys of the entries at the top.
func splitKeys(t *testing.T, text string) ([]string, bool) {
	t.Helper()
	sections, ok := split([]byte(text), newLines([]byte(text)))
	var keys []string
	for _, s := range sections {
		keys = append(keys, s.key)
	}
	return keys, ok
}

func TestSplit(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: 2\n": "a b",
		"# top\n---\na: 1\n\n# x\nb:\n- c\n- d: e\nf: g": "a b f",
		"a: |\n  b: c\n\n   d\nb: >-\n c: d\ne: f\n":     "a b e",
		"a:\n- b: |\n   c\n  d: \"e\"\nf: g\n":           "a f",
		"\"a b\": c\n'd': {e: [f, \"g\"]} # h\ni: j\n":   "a b d i",
		"a: it's\nb: [it's, 'x']\nc: d\r\ne: f\r\n":      "a b c e",
		"a: b\n  \"c\nd: e\n":                            "", // in quotes, for all that is known
		"a: \"b\nc: d\"\n":                               "",
		"a: [b,\n c]\nd: e\n":                            "",
		"a: {b: 'c', d: \"e\nf: g\"}\n":                  "",
		"- a: b\n":                                       "",
		"a: b\n---\nc: d\n":                              "",
		"? a\n: b\n":                                     "",
		"{a: b}\n":                                       "",
		"text\n":                                         "",
		"a:\n\tb: c\n":                                   "",
		"a: b\n  |\n  c\n":                               "",
		"%YAML 1.2\n---\na: b\n":                         "",
		"":                                               "",
	} {
		keys, ok := splitKeys(t, text)
		assert.Equal(t, want != "", ok, "%q", text)
		if ok {
			assert.Equal(t, want, strings.Join(keys, " "), "%q", text)
		}
	}
}

// FuzzSplit compares what is parsed entry by entry with what is parsed whole.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb: 2\n", "a: |\n  b: c\nd: e\n", "a:\n- b: |\n   c\n  d: \"e\n\nf: g\"\n", "a: &x [b, it's]\nc: *x\n", "\"a\": b\n'c': d # e\n", "a: b\n \"c\nd: e\"\n",
		"a:\n- |\n b\nc: d\n", "a: {b: [c, 'd']} # \"\ne: f\n", "a: !t \"b\nc: d\"\n", "a: b\u2028c: d\n", "a: &x \"b\nc: d\"\n", "a: - \"b\nc: d\"\n", "a: [b: 'c\nd: e']\n",
		"\xef\xbb\xbfa: b\nc: d\n", "a: b #\nc: d\n", "a:\n  b\n  'c\nd: e\n", "a: *x \"b\nc: d\"\n", "a: [&x 'b]\nc: d']\n", "a: |1\n  b\nc: d\n", "- \"\n", "a: {\"b\":\"c\nd: e\"}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sections, ok := split(data, newLines(data))
		if !ok {
			return
		}
		docs, err := documents(data)
		if err != nil || len(docs) != 1 {
			return // a part of a broken file may be fine
		}
		root := docs[0].Content[0]
		require.Len(t, root.Content, 2*len(sections), "%q", data)
		for i, s := range sections {
			require.Equal(t, root.Content[2*i].Value, s.key, "%q", data)
			require.Equal(t, root.Content[2*i].Line, s.line+1, "%q", data)
			doc, ok := s.parse(data)
			if !ok {
				continue // an alias of another entry
			}
			require.NoError(t, same(root.Content[2*i+1], doc.Content[0].Content[1], nil), "%q", data)
			require.Equal(t, root.Content[2*i+1].Column, doc.Content[0].Content[1].Column, "%q", data)
		}
	})
}
