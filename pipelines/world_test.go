package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

func TestRepositoriesOfAddresses(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"git@github.com:acme/app.git":               "acme/app",
		"https://github.com/acme/app":               "acme/app",
		"https://git.example.com/team/acme/app.git": "acme/app",
		"ssh://git@host:2222/acme/app.git/":         "acme/app",
		"deployments":                               "deployments",
	} {
		assert.Equal(t, want, repositoryOf(uri), uri)
	}
}

func TestTheStateOfARepositoryIsThatOfItsRefs(t *testing.T) {
	t.Parallel()
	r, err := gittest.Init(filepath.Join(t.TempDir(), "r.git"))
	require.NoError(t, err)
	state := func() string {
		s, err := refState(r.Dir)
		require.NoError(t, err)
		return s
	}
	seen := map[string]bool{state(): true}
	hash, err := r.Commit("main", "one", map[string]string{"a": "1"})
	require.NoError(t, err)
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return r.UpdateRef("refs/tags/1.0.0", hash) },
		func() error { _, err := r.Commit("main", "two", map[string]string{"a": "2"}); return err },
		func() error { return r.UpdateRef("refs/tags/1.0.0", "") },
	} {
		require.NoError(t, change())
		assert.False(t, seen[state()], "a ref has moved")
		seen[state()] = true
		assert.True(t, seen[state()])
	}
	_, err = refState(filepath.Join(r.Dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Two pipelines of two repositories, copied from the user's: each is named.
func TestRehearseTwoPipelines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files, flags []string
	for _, name := range []string{"one", "two"} {
		r, err := gittest.Init(filepath.Join(dir, name+".git"))
		require.NoError(t, err)
		_, err = r.Git("symbolic-ref", "HEAD", "refs/heads/trunk")
		require.NoError(t, err)
		_, err = r.Commit("trunk", "feat: first", map[string]string{"say": name + "\n"})
		require.NoError(t, err)
		file := filepath.Join(dir, name+".yml")
		require.NoError(t, os.WriteFile(file, []byte(`resources:
- name: repo
  type: git
  source: {uri: "git@github.com:acme/`+name+`.git", branch: trunk, private_key: ((key))}
jobs:
- name: say
  plan:
  - {get: repo, trigger: true}
  - task: say
    config:
      platform: linux
      image_resource: {type: registry-image, source: {repository: busybox, tag: 1.37.0}}
      inputs: [{name: repo}]
      run: {path: grep, args: [`+name+`, repo/say]}
`), 0o644))
		files, flags = append(files, file), append(flags, "--repository", name+"="+r.Dir)
	}
	out, err := pipelines(t, append(append([]string{"rehearse"}, files...), flags...)...)
	require.NoError(t, err, out)
	assert.Contains(t, out, "say #1 of one")
	assert.Contains(t, out, "say #1 of two")
	_, err = pipelines(t, append(append([]string{"rehearse"}, files...), flags[:2]...)...)
	require.ErrorContains(t, err, "the pipelines use the repository acme/two: say with --repository two=PATH what to copy")
}

func TestATypeThatNothingStandsInFor(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Parse("p.yml", []byte("resources: [{name: s, type: s3, source: {bucket: b}}]\njobs: [{name: j, plan: [{get: s}]}]\n"))
	require.NoError(t, err)
	w, err := newWorld(t.Context(), t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.close() })
	_, err = w.types("p", p)
	require.ErrorContains(t, err, "p.yml:1: nothing stands in for the resource type s3")
}
