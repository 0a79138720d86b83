package yamledit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, text, path string
		is               error
		says             []string
	}{
		{"missing key", "image:\n  digest: x\n  tag: v\n", "image.digset", yamledit.ErrMissing, []string{"image has no key digset (did you mean digest?); there is digest, tag"}},
		{"missing at the top", "a: b\n", "image", yamledit.ErrMissing, []string{"the top has no key image"}},
		{"key of a single value", "a: b\n", "a.b", yamledit.ErrMissing, []string{"a is a single value (line 1) and has no key b"}},
		{"key of a list", "a: [b]\n", "a.b", yamledit.ErrMissing, []string{"a is a list (line 1) and has no key b"}},
		{"key of nothing", "a:\n", "a.b", yamledit.ErrMissing, []string{"a is empty (line 1) and has no key b"}},
		{"item of a map", "a: {b: c}\n", "a[0]", yamledit.ErrMissing, []string{"a is a map (line 1) and has no items"}},
		{"item beyond the end", "a: [b]\n", "a[1]", yamledit.ErrMissing, []string{"a has no item [1]: it has 1 items, numbered from 0"}},
		{"no such item", "a:\n- name: xx\n- name: yy\n", "a[name=xy].v", yamledit.ErrMissing, []string{"a has no item [name=xy]", "there is xx, yy"}},
		{"two such items", "a:\n- name: x\n- name: x\n", "a[name=x].v", yamledit.ErrAmbiguous, []string{"a has 2 items [name=x], on lines 2 and 3"}},
		{"an item that says it twice", "a:\n- name: x\n  name: z\n", "a[name=x].v", yamledit.ErrAmbiguous, []string{"whose key name appears twice"}},
		{"duplicate key", "a: b\nc: d\na: e\n", "a", yamledit.ErrAmbiguous, []string{"has the key a twice, on lines 1 and 3"}},
		{"a map", "a:\n  b: c\n", "a", yamledit.ErrNotScalar, []string{"a is a map (line 2)", "there is b"}},
		{"a list", "a:\n- b\n", "a", yamledit.ErrNotScalar, []string{"a is a list", "choose an item"}},
		{"alias on the way", "x: &x {b: c}\na: *x\n", "a.b", yamledit.ErrShared, []string{"a is the alias *x (line 2): set the value where &x is"}},
		{"alias itself", "x: &x b\na: *x\n", "a", yamledit.ErrShared, []string{"is the alias *x"}},
		{"merge key", "x: &x {b: c}\na:\n  <<: *x\n", "a.b", yamledit.ErrShared, []string{"a has no key b of its own, only what << on line 3 brings"}},
		{"used through an alias", "x: &x b\na: *x\n", "x", yamledit.ErrShared, []string{"line 1: the alias *x on line 2 uses it too"}},
		{"inside of what is merged elsewhere", "x: &x {b: c}\na:\n  <<: *x\n", "x.b", yamledit.ErrShared, []string{"line 3 uses it too"}},
		{"literal block", "a: |\n  b\n", "a", yamledit.ErrForm, []string{"line 1: it is a block"}},
		{"folded block", "a: >-\n  b\n", "a", yamledit.ErrForm, []string{"it is a block"}},
		{"several lines", "a: \"b\n  c\"\n", "a", yamledit.ErrForm, []string{"it goes on over several lines"}},
		{"several lines without quotes", "a: b\n  c\n", "a", yamledit.ErrForm, []string{"it goes on over several lines"}},
		{"own tag", "a: !vault b\n", "a", yamledit.ErrForm, []string{"it has the tag !vault"}},
		{"nothing in a list", "a:\n-\n- b\n", "a[0]", yamledit.ErrForm, []string{`write ""`}},
		{"no path", "a: b\n", "a..b", yamledit.ErrPath, []string{`path "a..b"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(c.text), yamledit.Options{})
			require.NoError(t, err)
			err = f.Set(c.path, "new")
			require.ErrorIs(t, err, c.is)
			for _, words := range c.says {
				assert.Contains(t, err.Error(), words)
			}
			assert.False(t, f.Changed())
		})
	}
}

func TestSharedValuesCanBeAskedFor(t *testing.T) {
	f, err := yamledit.Parse([]byte("x: &x {b: c}\na: *x\n"), yamledit.Options{Shared: true})
	require.NoError(t, err)
	require.NoError(t, f.Set("x.b", "d"))
	got, err := f.Bytes()
	require.NoError(t, err)
	assert.Equal(t, "x: &x {b: d}\na: *x\n", string(got))
}

func TestDocuments(t *testing.T) {
	const text = "a: b\n---\na: c\n---\n"
	_, err := yamledit.Parse([]byte(text), yamledit.Options{})
	require.ErrorIs(t, err, yamledit.ErrAmbiguous)
	assert.Contains(t, err.Error(), "the file has 2 documents, the second from line 3")
	f, err := yamledit.Parse([]byte(text), yamledit.Options{Document: 2})
	require.NoError(t, err)
	require.NoError(t, f.Set("a", "d"))
	got, err := f.Bytes()
	require.NoError(t, err)
	assert.Equal(t, "a: b\n---\na: d\n---\n", string(got))
	_, err = yamledit.Parse([]byte(text), yamledit.Options{Document: 4})
	require.ErrorIs(t, err, yamledit.ErrMissing)
	for _, broken := range []string{"a: [\n", "\xff\xfea\x00", "a: \xff\n"} {
		_, err = yamledit.Parse([]byte(broken), yamledit.Options{})
		require.ErrorIs(t, err, yamledit.ErrSyntax, "%q", broken)
	}
	for _, empty := range []string{"", "# only this\n", "---\n"} {
		_, err = yamledit.Parse([]byte(empty), yamledit.Options{})
		require.ErrorIs(t, err, yamledit.ErrMissing, "%q", empty)
	}
}

func TestCommentsThatCannotBe(t *testing.T) {
	f, err := yamledit.Parse([]byte("a: {b: x, c: y}\nd: {e: z, f: \"one\n  two\"}\n"), yamledit.Options{})
	require.NoError(t, err)
	require.NoError(t, f.SetComment("a.b", "one"))
	require.NoError(t, f.SetComment("a.c", "one"))
	require.ErrorIs(t, f.SetComment("a.c", "two"), yamledit.ErrForm)
	require.ErrorIs(t, f.SetComment("d.e", "x"), yamledit.ErrForm)
	require.ErrorIs(t, f.SetComment("a.b", "x\ny: z"), yamledit.ErrForm)
	got, err := f.Bytes()
	require.NoError(t, err)
	assert.Equal(t, "a: {b: x, c: y} # one\nd: {e: z, f: \"one\n  two\"}\n", string(got))
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		".a.b": "a.b", "a[ 0 ]": "", "a[0]": "a[0]", "a.[0].b": "a[0].b", `a["b.c"]`: `a."b.c"`, "a['b']": "a.b", `a[name="x]"]`: `a[name="x]"]`,
		"": "", "a.": "", "a]": "", "a[": "", "a[x": "", "a[x=": "", "a[-1]": "", `"a`: "", `""`: "", "a b.c": "a b.c", " a": "", `"\"x"`: `"\"x"`,
	} {
		path, err := yamledit.ParsePath(text)
		if want == "" {
			require.ErrorIs(t, err, yamledit.ErrPath, text)
			continue
		}
		require.NoError(t, err, text)
		assert.Equal(t, want, path.String(), text)
	}
}
