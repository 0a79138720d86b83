package gittest_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func TestBig(t *testing.T) {
	shape := gittest.Big{
		Commits: 300, Files: 200, ModuleFiles: 20, RelevantEvery: 40, Quiet: 15,
		Merges: 0.4, StateShare: 0.3, Others: 3, Lag: 2, Seed: 7,
	}
	fill := func() (*gittest.Repository, *gittest.BigRepository) {
		r, err := gittest.Init(t.TempDir())
		require.NoError(t, err)
		b, err := r.WriteBig(shape)
		require.NoError(t, err)
		return r, b
	}
	r, b := fill()
	_, again := fill()
	assert.Equal(t, b, again, "the same shape gives the same commits")
	require.NoError(t, r.Fsck())

	count := func(args ...string) int {
		out, err := r.Log("%H", args...)
		require.NoError(t, err)
		return len(out)
	}
	assert.InDelta(t, shape.Commits, count("main"), 3)
	assert.Equal(t, b.Commits, count("main"))
	assert.Positive(t, count("main", "--merges"))
	assert.Equal(t, shape.Quiet+2, count(b.LastRelevant+"..main"), "room for the three records and then the quiet ones")
	files, err := r.Files("main")
	require.NoError(t, err)
	assert.Greater(t, len(files), shape.Files)

	for env, queue := range map[string]int{"staging": 1, "qa": 0, "production": 0} {
		text, err := r.Show("main", ".cepler/bank/"+env+".state")
		require.NoError(t, err)
		var state struct {
			Version int
			Current struct {
				HeadCommit     string `yaml:"head_commit"`
				PropagatedHead string `yaml:"propagated_head"`
				Files          map[string]struct {
					FileHash string `yaml:"file_hash"`
				}
			}
			Queue []any `yaml:"propagation_queue"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(text), &state))
		assert.Len(t, state.Queue, queue, env)
		assert.Len(t, state.Current.Files, 30, env)
		_, err = r.RevParse(state.Current.HeadCommit + "^{commit}")
		require.NoError(t, err)
		if env != "staging" {
			_, err = r.RevParse(state.Current.PropagatedHead + "^{commit}")
			require.NoError(t, err)
		}
	}
	text, err := r.Show("main", "cepler.yml")
	require.NoError(t, err)
	assert.Contains(t, text, "    passed: qa\n")
}

func BenchmarkBig(b *testing.B) {
	for _, commits := range []int{1000, 10000} {
		b.Run(strconv.Itoa(commits), func(b *testing.B) {
			shape := gittest.DefaultBig()
			shape.Commits = commits
			for b.Loop() {
				r, err := gittest.Init(b.TempDir())
				require.NoError(b, err)
				_, err = r.WriteBig(shape)
				require.NoError(b, err)
			}
		})
	}
}
