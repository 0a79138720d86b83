package git

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// A commit and a tag on another commit go in one push; when somebody takes the
// tag meanwhile, neither moves and the decision is taken again.
func TestChangeMovesFurtherRefsInTheSamePush(t *testing.T) {
	server, repo, s, tip := servePartial(t, withMain(t))
	const tag = "refs/tags/v1"
	other := tip.Hash
	second, err := repo.Commit("side", "two", map[string]string{"b": "1\n"})
	require.NoError(t, err)
	tries := 0
	server.Inject(gittest.Fault{Path: gittest.ReceivePack, Times: 1, Before: func() {
		assert.NoError(t, repo.UpdateRef(tag, second))
	}})
	_, err = s.UpdateRef(t.Context(), "refs/heads/version", func(ctx context.Context, was *Commit) (*Built, error) {
		assert.Nil(t, was, "a tag that was moved says nothing about the branch")
		tries++
		b, err := s.Build(ctx, change(Hash{}, map[string]Edit{"version": write("1\n")}))
		if err != nil {
			return nil, err
		}
		b.Also = []Update{{Ref: []string{tag, "refs/tags/v2"}[tries-1], New: other}}
		return b, nil
	})
	require.NoError(t, err)
	assert.Equal(t, 2, tries)
	refs, err := s.remote.RefsUnder(t.Context(), "refs/tags/", "refs/heads/v")
	require.NoError(t, err)
	assert.Len(t, refs, 3)
	assert.Equal(t, other, refs["refs/tags/v2"])
	require.NoError(t, repo.Fsck())
}

// What is there already needs no commit, but a tag that is missing is still set.
func TestChangeOfATagAlone(t *testing.T) {
	_, repo, s, tip := servePartial(t, withMain(t))
	got, err := s.UpdateRef(t.Context(), "refs/heads/main", func(_ context.Context, tip *Commit) (*Built, error) {
		return &Built{Hash: tip.Hash, Commit: tip, Also: []Update{{Ref: "refs/tags/v1", New: tip.Hash}}}, nil
	})
	require.NoError(t, err)
	assert.Equal(t, tip.Hash, got.Hash)
	at, err := repo.RevParse("v1")
	require.NoError(t, err)
	assert.Equal(t, tip.Hash.String(), at)
}

func TestRefsUnderAPrefix(t *testing.T) {
	_, repo, _, _ := servePartial(t, withMain(t))
	for _, name := range []string{"refs/tags/a", "refs/tags/b/c", "refs/heads/tags"} {
		require.NoError(t, repo.UpdateRef(name, "main"))
	}
	_, err := repo.Git("tag", "-a", "-m", "annotated", "d", "main")
	require.NoError(t, err)
	for _, uri := range []string{repo.URL(), repo.Dir} {
		remote, err := Open(Access{URI: uri, Branch: "main"}, Options{})
		require.NoError(t, err)
		refs, err := remote.RefsUnder(t.Context(), "refs/tags/")
		require.NoError(t, err)
		names := make([]string, 0, len(refs))
		for name := range refs {
			names = append(names, name)
		}
		assert.ElementsMatch(t, []string{"refs/tags/a", "refs/tags/b/c", "refs/tags/d", "refs/tags/d^{}"}, names, uri)
		require.NoError(t, remote.Close())
	}
}

func withMain(t *testing.T) func(*gittest.Repository) {
	t.Helper()
	return func(r *gittest.Repository) {
		_, err := r.Commit("main", "one", map[string]string{"a": "1\n"})
		require.NoError(t, err)
	}
}
