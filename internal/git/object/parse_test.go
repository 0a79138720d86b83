package object

import (
	"bytes"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommits(t *testing.T) {
	h := plumbing.NewHash("1111111111111111111111111111111111111111")
	c, err := ParseCommit(h, []byte("tree 2222222222222222222222222222222222222222\nparent 3333333333333333333333333333333333333333\n"+
		"author A <B> <a@b> 1700000000 +0130\ncommitter Nobody\ngpgsig -----BEGIN\n x\n\nsubject\n\nbody\n"))
	require.NoError(t, err)
	assert.Len(t, c.Parents, 1)
	assert.Equal(t, "A", c.Author.Name)
	assert.Equal(t, "2023-11-14T23:43:20+01:30", c.Author.When.Format("2006-01-02T15:04:05Z07:00"))
	assert.Equal(t, "Nobody", c.Committer.Name)
	assert.Equal(t, "subject\n\nbody\n", c.Message)
	_, err = ParseCommit(h, []byte("nonsense"))
	require.Error(t, err)
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a\x0012345678901234567890" + "40000 dir\x0012345678901234567890"))
	f.Add([]byte("100644 a\x00short"))
	f.Add([]byte("100644 \x0012345678901234567890"))
	f.Add([]byte("9 x\x0012345678901234567890"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := ParseTree(raw)
		if err != nil {
			return
		}
		again, err := ParseTree(FormatTree(entries))
		if err != nil {
			t.Fatal(err)
		}
		assert.Equal(t, entries, again)
	})
}

// A commit or a tag may be anything that somebody has pushed.
func FuzzParseCommitAndTag(f *testing.F) {
	const id = "1111111111111111111111111111111111111111"
	f.Add([]byte("tree " + id + "\nparent " + id + "\nauthor A <a@b> 1700000000 +0130\ncommitter B <> x y\ngpgsig -----BEGIN\n x\n\nsubject\n"))
	f.Add([]byte("tree x\nparent\nauthor >< 99999999999999999999 +9999\n\n"))
	f.Add([]byte("object " + id + "\ntype commit\ntag v1\ntagger A <a@b> -1 -0000\n\nmessage"))
	f.Add([]byte("object " + id))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := ParseCommit(Hash{}, raw); err == nil {
			assert.NotContains(t, c.Author.Name+c.Committer.Name, "\n")
		}
		if tag, err := ParseTag(raw); err == nil {
			assert.False(t, tag.Target.IsZero() && !bytes.Contains(raw, []byte("object 0000")))
			assert.NotContains(t, tag.Name, "\n")
		}
	})
}
