package rehearsal_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// chain is a pipeline that copies each number from one list of the shelf to
// another one.
func chain(t *testing.T, s *shelf, name, from, to string, stamp func(map[string]any) string) *rehearsal.Rehearsal {
	t.Helper()
	p, err := pipeline.Parse(name+".yml", []byte(`
resources:
- {name: in, type: shelf, source: {name: `+from+`}}
- {name: out, type: shelf, source: {name: `+to+`}}
jobs:
- name: copy
  plan:
  - {get: in, trigger: true}
  - {put: out, inputs: [in], params: {file: in/n}}
- name: `+name+`-only
  plan: [{get: in}]
`))
	require.NoError(t, err)
	r, err := rehearsal.New(rehearsal.Options{Pipeline: p, Types: map[string]rehearsal.Type{"shelf": s}, Dir: t.TempDir(), Name: name, Stamp: stamp})
	require.NoError(t, err)
	return r
}

func TestPipelinesSeeWhatOthersDo(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	// the later one is looked at first: it needs another round
	all := rehearsal.Together{chain(t, s, "second", "b", "c", nil), chain(t, s, "first", "a", "b", nil)}
	robots := 0
	builds, err := all.Settle(t.Context(), func(context.Context) (bool, error) {
		robots++
		if robots == 2 {
			s.add("a", "2")
			return true, nil
		}
		return false, nil
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"1", "2"}, s.lists["c"])
	require.Len(t, builds, 4)
	assert.Equal(t, "second", builds[0].Pipeline, "the first pipeline's builds come first")
	assert.Equal(t, "first", builds[3].Pipeline)
	builds, err = all.Settle(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, builds)
	_, err = all.Settle(t.Context(), func(context.Context) (bool, error) { return false, errors.New("no hands") })
	require.ErrorContains(t, err, "no hands")
	_, err = all.Settle(t.Context(), func(context.Context) (bool, error) { return true, nil })
	require.ErrorIs(t, err, rehearsal.ErrRestless)
}

func TestNamesOfSeveralPipelines(t *testing.T) {
	t.Parallel()
	s := newShelf()
	all := rehearsal.Together{chain(t, s, "first", "a", "b", nil), chain(t, s, "second", "b", "c", nil)}
	r, name, err := all.WithJob("second-only")
	require.NoError(t, err)
	assert.Equal(t, "second", r.Name())
	assert.Equal(t, "second-only", name)
	r, name, err = all.WithJob("first/copy")
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "copy"}, []string{r.Name(), name})
	_, _, err = all.WithJob("copy")
	require.ErrorContains(t, err, `2 pipelines have a job "copy": write it as pipeline/copy`)
	_, _, err = all.WithJob("third/copy")
	require.ErrorContains(t, err, "there is no job")
	r, _, err = all.WithResource("second/in")
	require.NoError(t, err)
	assert.Equal(t, "second", r.Name())
	_, _, err = all.WithResource("none")
	require.ErrorContains(t, err, `there is no resource "none"; there are: in, out`)
}

// A source that is in the state of the last check is not checked again.
func TestChecksOnlyWhereSomethingMoved(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	state := "one"
	r := chain(t, s, "first", "a", "b", func(source map[string]any) string {
		if source["name"] == "a" {
			return state
		}
		return ""
	})
	settle := func() int {
		builds, err := r.Settle(t.Context())
		require.NoError(t, err)
		return len(builds)
	}
	require.Equal(t, 1, settle())
	checks := len(s.given)
	s.add("a", "2")
	assert.Zero(t, settle(), "nobody says that it moved")
	assert.Len(t, s.given, checks)
	state = "two"
	assert.Equal(t, 1, settle())
}
