package yamledit_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// FuzzEdit makes edits in generated files and compares with what they must
// become, byte by byte.
func FuzzEdit(f *testing.F) {
	for seed := range uint64(120) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generate(seed)
		before := values(t, g.text)
		file, err := yamledit.Parse([]byte(g.text), yamledit.Options{Document: g.document})
		require.NoError(t, err, g.text)
		edits := editSome(t, file, g, seed)
		want := expected(g.text, edits)
		got, err := file.Bytes()
		require.NoError(t, err, g.text)
		require.Equal(t, want, string(got))

		after := values(t, string(got))
		for _, e := range edits {
			put(t, before[max(g.document-1, 0)], e.tok.path, e.text)
		}
		require.Equal(t, before, after, "other values than the wanted ones changed")

		again, err := yamledit.Parse(got, yamledit.Options{Document: g.document})
		require.NoError(t, err)
		for _, e := range edits {
			require.NoError(t, again.Set(e.tok.path.String(), e.text))
			require.NoError(t, again.SetComment(e.tok.path.String(), e.comment))
		}
		require.False(t, again.Changed(), "the same edits again")
	})
}

// editSome makes a few edits of each kind of value that can be set.
func editSome(t *testing.T, file *yamledit.File, g generated, seed uint64) []request {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	var edits []request
	for _, i := range r.Perm(len(g.tokens))[:min(len(g.tokens), 6)] {
		tk := g.tokens[i]
		if !ask(t, file, g, tk) || clash(edits, tk) {
			continue
		}
		e := request{tok: tk, text: digest(int(seed>>3)&15 + 1), comment: commentFor(r)}
		require.NoError(t, file.Set(tk.path.String(), e.text), "%s\n%s", tk.path, g.text)
		require.NoError(t, file.SetComment(tk.path.String(), e.comment), "%s\n%s", tk.path, g.text)
		edits = append(edits, e)
	}
	return edits
}

// TestGeneratedFilesMadeLong edits the same files when they are so long that they
// are parsed in part.
func TestGeneratedFilesMadeLong(t *testing.T) {
	tail := strings.Repeat("# nothing but length\n", 4000)
	for seed := range uint64(120) {
		g := generate(seed)
		if g.document != 0 || !strings.HasSuffix(g.text, "\n") {
			continue
		}
		file, err := yamledit.Parse([]byte(g.text+tail), yamledit.Options{})
		require.NoError(t, err, g.text)
		edits := editSome(t, file, g, seed)
		got, err := file.Bytes()
		require.NoError(t, err, g.text)
		require.Equal(t, expected(g.text, edits), strings.TrimSuffix(string(got), tail))
	}
}

type request struct {
	tok           tok
	text, comment string
}

// ask looks a value up, and reports whether it can be set.
func ask(t *testing.T, file *yamledit.File, g generated, tk tok) bool {
	t.Helper()
	path := tk.path.String()
	if tk.refuse != nil {
		err := file.Set(path, "anything else")
		require.ErrorIs(t, err, tk.refuse, "%s\n%s", path, g.text)
		return false
	}
	v, err := file.Scalar(path)
	require.NoError(t, err, "%s\n%s", path, g.text)
	require.Equal(t, tk.value, v.Text, "%s\n%s", path, g.text)
	require.Equal(t, g.text[tk.commentStart:tk.commentEnd], v.Comment, "%s\n%s", path, g.text)
	return true
}

// clash says that two values share a line, so that they share its comment.
func clash(chosen []request, tk tok) bool {
	for _, c := range chosen {
		if c.tok.commentStart == tk.commentStart {
			return true
		}
	}
	return false
}

func commentFor(r *rand.Rand) string {
	return []string{"", "# METADATA:: repository=https://github.com/acme/bank;commit_ref=7654321;app=bank;", "# a\ttab"}[r.IntN(3)]
}

// expected makes the edits with nothing but the knowledge of where things are.
func expected(text string, edits []request) string {
	for {
		last := -1
		for i, e := range edits {
			if last < 0 || e.tok.start > edits[last].tok.start {
				last = i
			}
		}
		if last < 0 {
			return text
		}
		e := edits[last]
		edits = append(append([]request{}, edits[:last]...), edits[last+1:]...)
		start, comment := e.tok.commentStart, e.comment
		switch {
		case comment == "" && e.tok.commentEnd > start:
			for start > e.tok.end && strings.ContainsRune(" \t", rune(text[start-1])) {
				start--
			}
		case comment != "" && e.tok.commentEnd == start && !strings.ContainsRune(" \t", rune(text[start-1])):
			comment = " " + comment
		}
		text = text[:start] + comment + text[e.tok.commentEnd:]
		value := e.tok.quote + e.text + e.tok.quote
		if e.tok.gap {
			value = " " + value
		}
		text = text[:e.tok.start] + value + text[e.tok.end:]
	}
}

// values decodes all documents.
func values(t *testing.T, text string) []any {
	t.Helper()
	var out []any
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v any
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err, text)
		out = append(out, v)
	}
}

// put sets a value in what was decoded.
func put(t *testing.T, in any, path yamledit.Path, text string) {
	t.Helper()
	for i, s := range path {
		last := i == len(path)-1
		switch c := in.(type) {
		case []any:
			if last {
				c[s.Index] = text
				return
			}
			in = c[s.Index]
		case map[string]any:
			if last {
				c[s.Key] = text
				return
			}
			in = c[s.Key]
		case map[any]any:
			for k, v := range c {
				if key := keyText(k); key == s.Key {
					if last {
						c[k] = text
						return
					}
					in = v
					break
				}
			}
		default:
			t.Fatalf("%s: %T", path, in)
		}
	}
}

func keyText(k any) string {
	data, err := yaml.Marshal(k)
	if err != nil {
		return ""
	}
	text := strings.TrimSuffix(string(data), "\n")
	if s, ok := k.(string); ok {
		text = s
	}
	return text
}

// FuzzAnyFile edits whatever parses.
func FuzzAnyFile(f *testing.F) {
	for _, seed := range []string{
		"a: b\n", "- a\n- {b: \"c\"}\n", "a: &x b\nc: *x\n", "a: |\n  b\n", "? a\n: b\n", "\"a\": 'b' # c\n", "a: {b: c,\n d: e}\n", "%YAML 1.1\n---\na: b\n...\n",
		"\xef\xbb\xbfa: b\r\n", "a:\tb\n", "a: b\u0085c: d\u2028e: f\n", "{a: [b, {c: d}]}\n", "a: !!binary aGk=\n", "a: 'b\n\n  c'\n", "\xff\xfea\x00", "a: b\rc: d\r", "- - - a\n", "'a': b: c\n", "a:\n- b\n-\n", "!t a: b\n",
	} {
		f.Add([]byte(seed), "new text")
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		file, err := yamledit.Parse(data, yamledit.Options{})
		if err != nil {
			return
		}
		var doc yaml.Node
		dec := yaml.NewDecoder(bytes.NewReader(data))
		if dec.Decode(&doc) != nil || len(doc.Content) != 1 {
			return
		}
		for i, path := range scalars(doc.Content[0], nil, 0) {
			if i > 8 || len(path) == 0 {
				break
			}
			if file.Set(path.String(), text) != nil {
				continue
			}
			if file.SetComment(path.String(), "# c") != nil {
				continue
			}
		}
		got, err := file.Bytes()
		if err != nil {
			require.ErrorIs(t, err, yamledit.ErrUnsafe)
			return
		}
		if !file.Changed() {
			require.Equal(t, data, got)
		}
	})
}

// scalars are the paths of all scalars.
func scalars(n *yaml.Node, path yamledit.Path, depth int) []yamledit.Path {
	if depth > 20 {
		return nil
	}
	var out []yamledit.Path
	switch n.Kind {
	case yaml.ScalarNode:
		return []yamledit.Path{append(yamledit.Path{}, path...)}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			out = append(out, scalars(c, append(append(yamledit.Path{}, path...), yamledit.Step{Item: true, Index: i}), depth+1)...)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			out = append(out, scalars(n.Content[i+1], append(append(yamledit.Path{}, path...), yamledit.Step{Key: n.Content[i].Value}), depth+1)...)
		}
	default:
	}
	return out
}

// FuzzPath reads paths, and writes them so that they are read the same.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a.b", `"a.b".c`, "[0]", "a[name=b].c", `a["x"]`, `a["n m"="x]"].b`, ".a.[1]", "a..b", "a[", "a.", `"\""`, "a[-1]", "a[x]", "'a'.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := yamledit.ParsePath(text)
		if err != nil {
			require.ErrorIs(t, err, yamledit.ErrPath)
			return
		}
		again, err := yamledit.ParsePath(path.String())
		require.NoError(t, err, path.String())
		assert.Equal(t, path, again, path.String())
	})
}
