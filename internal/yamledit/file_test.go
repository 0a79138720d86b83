package yamledit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// change sets one value and one comment.
type change struct {
	name, before, path, text, comment, after string
}

func TestEdits(t *testing.T) {
	changes := []change{
		{"double quotes", "image:\n  digest: \"a\"\n", "image.digest", "b", "", "image:\n  digest: \"b\"\n"},
		{"single quotes", "image: {digest: 'a'}\n", "image.digest", "it's", "", "image: {digest: 'it''s'}\n"},
		{"no quotes", "a: x # old\n", "a", "yy", "# old", "a: yy # old\n"},
		{"no quotes would be a number", "a: x\n", "a", "1.10", "", "a: \"1.10\"\n"},
		{"a number becomes a text", "a: 1.9\n", "a", "1.10", "", "a: \"1.10\"\n"},
		{"a version needs no quotes", "a: 0.41.0\n", "a", "0.42.0", "", "a: 0.42.0\n"},
		{"a reference", "image: repo:tag@sha256:aa\n", "image", "repo:tag@sha256:bb", "", "image: repo:tag@sha256:bb\n"},
		{"CRLF and a comment", "a: \"x\"\r\nb: 1\r\n", "a", "yy", "# c", "a: \"yy\" # c\r\nb: 1\r\n"},
		{"comment replaced, its place kept", "a: \"x\"\t   #old\tx\nb: 1\n", "a", "yy", "# new", "a: \"yy\"\t   # new\nb: 1\n"},
		{"comment taken away", "a: \"x\"   # old\nb: 1\n", "a", "x", "", "a: \"x\"\nb: 1\n"},
		{"blanks at the end stay", "a: x  \nb: 1\n", "a", "x", "c", "a: x  # c\nb: 1\n"},
		{"no newline at the end", "a: x", "a", "yy", "c", "a: yy # c"},
		{"BOM", "\xef\xbb\xbfa: x\n", "a", "yy", "c", "\xef\xbb\xbfa: yy # c\n"},
		{"BOM and a deeper line", "\xef\xbb\xbf# top\na:\n  b: x\n", "a.b", "yy", "c", "\xef\xbb\xbf# top\na:\n  b: yy # c\n"},
		{"characters of several bytes before it", "{ü: 'ß', \"日本\": \"x\"}\n", "日本", "yy", "", "{ü: 'ß', \"日本\": \"yy\"}\n"},
		{"a list by number", "a:\n- x\n- y\n", "a[1]", "z", "c", "a:\n- x\n- z # c\n"},
		{"a list by a sibling", "a:\n- name: p\n  v: 1x\n- v: 2x\n  name: \"q\"\n", "a[name=q].v", "3x", "c", "a:\n- name: p\n  v: 1x\n- v: 3x # c\n  name: \"q\"\n"},
		{"flow, comment behind the brackets", "a: {b: [\"x, # y\", {c: \"z\"}], d: it's} # old\n", "a.b[1].c", "w", "new", "a: {b: [\"x, # y\", {c: \"w\"}], d: it's} # new\n"},
		{"flow over several lines", "a: {\n  b: \"x\",\n  c: 'y',  # old\n  }\n", "a.c", "z", "new", "a: {\n  b: \"x\",\n  c: 'z',  # new\n  }\n"},
		{"quoted keys", "a:\n  \"b.c\": {'d': x}\n", `a."b.c".d`, "yy", "", "a:\n  \"b.c\": {'d': yy}\n"},
		{"nothing there yet", "a:\n  b:\n  c: 1\n", "a.b", "yy", "c", "a:\n  b: yy # c\n  c: 1\n"},
		{"nothing there yet but a comment", "a:\n  b:   # old\n  c: 1\n", "a.b", "yy", "# old", "a:\n  b: yy   # old\n  c: 1\n"},
		{"an anchor beside it", "x: &x {p: 1}\na: v\nb: *x\n", "a", "w", "", "x: &x {p: 1}\na: w\nb: *x\n"},
		{"an anchor nobody uses", "a: &x  \"v\"\n", "a", "w", "c", "a: &x  \"w\" # c\n"},
		{"a tag", "a: !!str 'v'\n", "a", "w", "c", "a: !!str 'w' # c\n"},
		{"own value beside a merge key", "x: &x {p: 1}\na:\n  <<: *x\n  v: q\n", "a.v", "w", "", "x: &x {p: 1}\na:\n  <<: *x\n  v: w\n"},
		{"control characters", "a: 'v'\n", "a", "x\ny\x01", "", "a: \"x\\ny\\x01\"\n"},
		{"leading dot as yq has it", "a: {b: v}\n", ".a.b", "w", "", "a: {b: w}\n"},
		{"the only document with content", "---\na: v\n---\n", "a", "w", "", "---\na: w\n---\n"},
		{"a quote inside of a plain value", "a: {b: it's, c: v} # old\n", "a.c", "w", "# n", "a: {b: it's, c: w} # n\n"},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(c.before), yamledit.Options{})
			require.NoError(t, err)
			require.NoError(t, f.Set(c.path, c.text))
			require.NoError(t, f.SetComment(c.path, c.comment))
			got, err := f.Bytes()
			require.NoError(t, err)
			assert.Equal(t, c.after, string(got))

			again, err := yamledit.Parse(got, yamledit.Options{})
			require.NoError(t, err)
			require.NoError(t, again.Set(c.path, c.text))
			require.NoError(t, again.SetComment(c.path, c.comment))
			assert.False(t, again.Changed())
		})
	}
}
