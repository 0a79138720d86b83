package git

import (
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Eleven objects of a kilobyte stand for ten billion files: ten trees of ten
// entries, each of which is the next tree.
func TestTreesThatHoldEachOtherAreRefused(t *testing.T) {
	_, _, s, tip := servePartial(t, func(r *gittest.Repository) {
		_, err := r.Commit("main", "init", map[string]string{"f": "x"})
		require.NoError(t, err)
	})
	entries, err := s.Tree(t.Context(), tip.Tree)
	require.NoError(t, err)
	at, mode := entries[0].Hash, filemode.Regular
	for range 10 {
		var level []object.Entry
		for _, name := range "0123456789" {
			level = append(level, object.Entry{Name: string(name), Mode: mode, Hash: at})
		}
		tree := object.New(plumbing.TreeObject, object.FormatTree(level))
		s.made[tree.Hash] = tree
		at, mode = tree.Hash, filemode.Dir
	}
	every := func(string) bool { return true }
	err = s.Walk(t.Context(), at, every, func(string, Entry) error { return nil })
	require.ErrorIs(t, err, object.ErrLimit)
	assert.Regexp(t, "the commit has 5000[0-9]{2} files and folders, or more, and the limit is 500000", err.Error())
	err = s.Diff(t.Context(), Hash{}, at, every, func(string, *Entry, *Entry) error { return nil })
	require.ErrorIs(t, err, object.ErrLimit)
	commit := object.New(plumbing.CommitObject, []byte("tree "+at.String()+"\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nx\n"))
	s.made[commit.Hash] = commit
	err = s.WriteGitDir(t.Context(), t.TempDir(), GitDir{Head: commit.Hash, Branch: "main"})
	require.ErrorIs(t, err, object.ErrLimit)
}
