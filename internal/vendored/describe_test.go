package vendored

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// tangle is a history with merges and tags, different for each seed. Clocks are
// not always right, and several commits may be of one second.
func tangle(t *testing.T, seed uint64) (repo *gittest.Repository, commits []string) {
	t.Helper()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "r.git"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(seed, 1))
	i := repo.Import()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []*gittest.Commit
	for n := range 40 + random.IntN(60) {
		c := i.Commit(fmt.Sprintf("b%d", n), fmt.Sprint(n)).Orphan().Files(map[string]string{"f": fmt.Sprint(n)})
		at = at.Add(time.Duration(random.IntN(5)-1) * time.Second)
		c.At(at)
		if n > 0 {
			c.From(all[max(0, n-1-random.IntN(4))])
			for random.IntN(4) == 0 {
				c.Merge(all[random.IntN(n)])
			}
		}
		if random.IntN(8) == 0 {
			i.Tag(fmt.Sprintf("v%d", n), "", c)
		}
		if random.IntN(12) == 0 {
			i.Tag(fmt.Sprintf("a%d", n), "annotated", c)
		}
		all = append(all, c)
	}
	require.NoError(t, i.Done())
	for _, c := range all {
		commits = append(commits, c.Hash())
	}
	return repo, commits
}

func TestDescribeAsGitDoes(t *testing.T) {
	compared, tagged := 0, 0
	for seed := range uint64(12) {
		repo, commits := tangle(t, seed)
		for n := len(commits) - 1; n >= 0; n -= 4 {
			want, err := repo.Git("describe", "--tags", commits[n])
			if err != nil {
				want = "" // it says that there is no tag
			}
			o := originIn(t, repo.Dir, commits[n])
			got, err := o.describe(t.Context())
			require.NoError(t, err)
			require.NoError(t, o.Close())
			require.Equal(t, strings.TrimSpace(want), got, "seed %d commit %d", seed, n)
			compared++
			if got != "" {
				tagged++
			}
		}
	}
	assert.Greater(t, tagged, compared/2)
}

func TestDescribeInAShallowClone(t *testing.T) {
	c := newCharts(t)
	_, err := c.repo.Git("tag", "v1", c.first+"~1")
	require.NoError(t, err)
	_, err = c.repo.Git("tag", "elsewhere", c.first+"~1")
	require.NoError(t, err)
	dir := t.TempDir()
	write(t, dir, map[string]string{"vendir.yml": config("u", c.first, shapes()["as the reference team"])})
	shallow := c.clone(t, "--depth", "1")
	_, err = bump(t, dir, shallow, "", target())
	require.ErrorIs(t, err, ErrShallow)

	_, err = gittest.Open(shallow).Git("fetch", "--quiet", "--depth", "1", "origin", "tag", "v1")
	require.NoError(t, err)
	_, err = bump(t, dir, shallow, c.last, target())
	require.ErrorIs(t, err, ErrShallow)
	assert.Contains(t, err.Error(), "the tags before commit "+c.last+" are not known")
}

func TestDigitsOfAHash(t *testing.T) {
	c := newCharts(t)
	_, err := c.repo.Git("repack", "-adq")
	require.NoError(t, err)
	o := originIn(t, c.repo.Dir, c.last)
	defer func() { _ = o.Close() }()
	out, err := c.repo.Git("count-objects", "-v")
	require.NoError(t, err)
	assert.Contains(t, out, fmt.Sprintf("in-pack: %d\n", o.clone.PackedObjects()))
	assert.Equal(t, shortestAbbrev, o.abbrev())
}
