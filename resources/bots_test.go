package resources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

const oldDigest, newDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// hubToken is what the stand-in for GitHub accepts.
const hubToken = `ghp_s3cr3t/T0ken+of"the<hub>&\`

// bot is a put of one resource type.
type bot struct {
	putter
	files string // that its pull request changes
	title string
}

// Three bots, of three resource types, at once on one base that moves meanwhile: each has its pull request, of
// its own change alone, and all can be merged.
func TestThreeBotsAtOnceOnOneBase(t *testing.T) {
	repo, hub, dir := monorepo(t)
	pulls := hub.Repository("acme/mono")
	bots := botsOf()
	var group sync.WaitGroup
	for name, b := range bots {
		source := object{
			"uri": repo.URL(), "branch": "main", "bot_branch": name,
			"github": object{"repository": "acme/mono", "api_url": hub.APIURL(), "access_token": hubToken},
		}
		maps.Copy(source, b.source)
		stdin, err := json.Marshal(object{"source": source, "params": b.params})
		require.NoError(t, err)
		for range 2 {
			group.Go(func() {
				var stdout, stderr bytes.Buffer
				p := concourse.Process{Args: []string{"out", dir}, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}}
				assert.Zero(t, b.run(t, p), "%s: %s", name, stderr.String())
			})
		}
	}
	group.Go(func() {
		for i := range 3 {
			_, err := repo.Commit("main", "meanwhile", map[string]string{"notes": fmt.Sprint(i)})
			assert.NoError(t, err)
		}
	})
	group.Wait()

	all, err := pulls.Pulls()
	require.NoError(t, err)
	require.Len(t, all, len(bots))
	for _, p := range all {
		b := bots[p.Head]
		assert.Equal(t, b.files, strings.Join(p.Files, " "), p.Head)
		assert.Regexp(t, b.title, p.Title)
		require.NoError(t, pulls.Ready(p.Number))
		_, err := pulls.Merge(p.Number, "squash", "ana")
		require.NoError(t, err, p.Head)
	}
	text, err := repo.Show("main", "charts/bank/values.yaml")
	require.NoError(t, err)
	assert.Contains(t, text, newDigest)
	require.NoError(t, repo.Fsck())
}

func botsOf() map[string]bot {
	return map[string]bot{
		"bot-chart": {
			putter: putter{
				putTo(chartbump.Resource{}),
				object{"chart": "charts/bank", "images": []map[string]string{{"name": "bank", "path": "digest", "repository": "https://github.com/acme/bank"}}},
				object{"images": object{"bank": map[string]string{"digest_file": "image/digest"}}, "source_repository": "repo"},
			},
			files: "charts/bank/values.yaml", title: `^chore\(bank\): bump bank image to '` + newDigest + `'$`,
		},
		"bot-promote": {
			putter: putter{
				putTo(promoterc.Resource{}),
				object{"labels": []string{"promote-rc"}},
				object{"version_file": "version/version", "repository": "repo"},
			},
			files: "CHANGELOG.md", title: `^ci: release 0\.1\.0$`,
		},
		"bot-vendir": {
			putter: putter{
				putTo(vendirbump.Resource{}),
				object{"mode": "pull-request", "directory": "vendor"},
				object{"repository": "repo"},
			},
			files: "vendir.lock.yml vendir.yml vendor/charts/bank/Chart.yaml vendor/charts/bank/values.yaml", title: `^chore\(deps\): bump vendor to '`,
		},
	}
}

// monorepo is a repository that all three types have something to do in, and a build's folder with a clone of it.
func monorepo(t *testing.T) (*gittest.Repository, *github.Server, string) {
	t.Helper()
	return monorepoOn(t, served(t, gittest.Options{}))
}

// served is a git server.
func served(t *testing.T, o gittest.Options) *gittest.Server {
	t.Helper()
	server, err := gittest.New(o)
	if errors.Is(err, gittest.ErrNoGit) || errors.Is(err, gittest.ErrNoSSHD) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func monorepoOn(t *testing.T, server *gittest.Server) (*gittest.Repository, *github.Server, string) {
	t.Helper()
	repo, err := server.Create("acme/mono")
	require.NoError(t, err)
	_, err = repo.Commit("main", "feat: everything", map[string]string{
		"charts/bank/values.yaml": "digest: " + oldDigest + "\n", "charts/bank/Chart.yaml": "name: bank\nversion: 1.0.0\n",
		"vendir.yml": "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: vendor\n  contents:\n  - {path: ., git: {url: x, ref: old}, includePaths: [charts/**/*]}\n",
	})
	require.NoError(t, err)
	hub := github.New(github.Options{Git: server, Tokens: []string{hubToken}})
	t.Cleanup(hub.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{"image/digest": newDigest, "version/version": "0.1.0-rc.1"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", repo.Dir, filepath.Join(dir, "repo")).CombinedOutput()
	require.NoError(t, err, string(out))
	return repo, hub, dir
}
