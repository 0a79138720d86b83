package chartbump_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
)

func (w *world) check(t *testing.T, given *chartbump.Version) []chartbump.Version {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir()) // no answers of checks before
	return w.warmCheck(t, given)
}

func (w *world) warmCheck(t *testing.T, given *chartbump.Version) []chartbump.Version {
	t.Helper()
	a := w.run(t, "check", "", object{"source": w.source(nil), "version": given})
	require.Zero(t, a.status, a.stderr)
	return a.versions
}

func commits(hashes ...string) []chartbump.Version {
	out := []chartbump.Version{}
	for _, h := range hashes {
		out = append(out, chartbump.Version{Commit: h})
	}
	return out
}

func TestCheckOffersChangesOfDigestsAlone(t *testing.T) {
	w := newWorld(t)
	first := w.head(t, "main")
	assert.Equal(t, commits(first), w.check(t, nil))
	w.commit(t, "other", map[string]string{"charts/other/values.yaml": "x: 1\n"})
	w.commit(t, "no digest", map[string]string{"charts/bank/values.yaml": values + "more: 1\n"})
	assert.Equal(t, commits(first), w.check(t, nil))
	assert.Equal(t, commits(first), w.check(t, &chartbump.Version{Commit: first}))
	second := w.commit(t, "digest", map[string]string{"charts/bank/values.yaml": strings.Replace(values, digestA, digestB, 1)})
	w.commit(t, "broken", map[string]string{"charts/bank/values.yaml": "a: [\n"})
	third := w.commit(t, "mended", map[string]string{"charts/bank/values.yaml": strings.Replace(values, digestA, digestC, 1)})
	w.commit(t, "other again", map[string]string{"charts/other/values.yaml": "x: 2\n"})
	assert.Equal(t, commits(first, second, third), w.check(t, &chartbump.Version{Commit: first}))
	assert.Equal(t, commits(third), w.check(t, nil))
	assert.Equal(t, commits(third), w.check(t, &chartbump.Version{Commit: nowhere}), "a version of a history that is gone")
}

func TestCheckAfterMerges(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			first := w.head(t, "main")
			put := w.bumped(t, w.source(nil), digestB, revision2)
			assert.Equal(t, commits(first), w.check(t, nil), "an open pull request is not a version of the base")
			merged, err := w.pulls.Merge(1, method, "ana")
			require.NoError(t, err)
			assert.Equal(t, commits(first, merged), w.check(t, &chartbump.Version{Commit: first}))
			assert.Equal(t, append([]chartbump.Version{put.version}, commits(merged)...), w.check(t, &put.version))
		})
	}
}

func TestCheckThatFindsNothingNewIsOneRequest(t *testing.T) {
	w := newWorld(t)
	first := w.head(t, "main")
	w.check(t, nil)
	w.commit(t, "other", map[string]string{"charts/other/values.yaml": "x: 1\n"})
	given := &chartbump.Version{Commit: first}
	require.Equal(t, commits(first), w.check(t, given))
	w.git.Reset()
	require.Equal(t, commits(first), w.warmCheck(t, given))
	for _, r := range w.git.Requests() {
		assert.NotEqual(t, "fetch", r.Command)
	}
	w.git.Reset()
	head := w.commit(t, "digest", map[string]string{"charts/bank/values.yaml": strings.Replace(values, digestA, digestB, 1)})
	require.Equal(t, commits(first, head), w.warmCheck(t, given))
	w.git.Reset()
	require.Equal(t, commits(head), w.warmCheck(t, &chartbump.Version{Commit: head}))
	for _, r := range w.git.Requests() {
		assert.NotEqual(t, "fetch", r.Command)
	}
}

// What a check costs does not grow with the number of bumps: neither since the given version, nor after
// the base was rewritten, when the server still has the given commit and the branch does not.
func TestCheckOfManyBumpsCostsNoMore(t *testing.T) {
	type cost struct{ since, rewritten int }
	costs := map[int]cost{}
	for _, bumps := range []int{10, 60} {
		w := newWorld(t)
		first := w.head(t, "main")
		var all []string
		series := w.repo.Continue("main")
		var made []*gittest.Commit
		for i := range bumps {
			digest := fmt.Sprintf("sha256:%064x", i+1)
			made = append(made, series.Commit("main", fmt.Sprint("bump ", i)).Write("charts/bank/values.yaml", strings.Replace(values, digestA, digest, 1)))
		}
		require.NoError(t, series.Done())
		for _, c := range made {
			all = append(all, c.Hash())
		}
		w.git.Reset()
		require.Equal(t, commits(append([]string{first}, all...)...), w.check(t, &chartbump.Version{Commit: first}))
		since := len(w.git.Requests())

		// the same bumps on another beginning
		orphan := all[len(all)-1]
		_, err := w.repo.Git("tag", "kept", orphan)
		require.NoError(t, err)
		again := w.repo.Import()
		again.Commit("main", "begin anew").Orphan().Write("charts/bank/values.yaml", values).Write("charts/bank/Chart.yaml", chartYAML)
		var last *gittest.Commit
		for i := range bumps {
			digest := fmt.Sprintf("sha256:%064x", i+1)
			last = again.Commit("main", fmt.Sprint("bump ", i)).Write("charts/bank/values.yaml", strings.Replace(values, digestA, digest, 1))
		}
		require.NoError(t, again.Done())
		w.git.Reset()
		require.Equal(t, commits(last.Hash()), w.check(t, &chartbump.Version{Commit: orphan}))
		costs[bumps] = cost{since, len(w.git.Requests())}
	}
	assert.Equal(t, costs[10], costs[60])
	assert.LessOrEqual(t, costs[60].rewritten, 5)
	assert.LessOrEqual(t, costs[60].since, 5)
}

func TestCheckOfAnEmptyRepository(t *testing.T) {
	w := newWorld(t)
	repo, err := w.git.Create("acme/empty")
	require.NoError(t, err)
	a := w.run(t, "check", "", object{"source": w.source(object{"uri": repo.URL()})})
	require.Zero(t, a.status, a.stderr)
	assert.Empty(t, a.versions)
}

// get gives the files of a version.
func (w *world) get(t *testing.T, source object, v chartbump.Version) map[string]string {
	t.Helper()
	dir := t.TempDir()
	a := w.run(t, "in", dir, object{"source": source, "version": v})
	require.Zero(t, a.status, a.stderr)
	require.Equal(t, v, a.version)
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		return err
	}))
	return files
}

func TestGet(t *testing.T) {
	w := newWorld(t)
	v := w.bumped(t, w.source(nil), digestB, revision2).version
	files := w.get(t, w.source(nil), v)
	assert.Equal(t, chartYAML, files["chart/Chart.yaml"])
	assert.Equal(t, "x\n", files["chart/tf/old/gone.tf"])
	assert.Contains(t, files["chart/values.yaml"], digestB)
	assert.Equal(t, v.Commit+"\n", files["ref"])
	assert.Equal(t, v.Commit[:7]+"\n", files["short_ref"])
	assert.Equal(t, digestB+"\n", files["lana-bank/digest"])
	assert.Equal(t, "2222222\n", files["lana-bank/commit_ref"])
	assert.Equal(t, "https://github.com/acme/bank/compare/1111111...2222222\n", files["compare_url"])
	var digests map[string]map[string]string
	require.NoError(t, json.Unmarshal([]byte(files["digests.json"]), &digests))
	assert.Equal(t, map[string]map[string]string{"lana-bank": {
		"digest": digestB, "repository": "https://github.com/acme/bank", "commit_ref": "2222222", "previous": digestA,
	}}, digests)
	var provenance struct {
		Chart  map[string]string
		Images map[string]map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(files["provenance.json"]), &provenance))
	assert.Equal(t, "charts/bank", provenance.Chart["path"])
	assert.Equal(t, v.Commit, provenance.Chart["commit"])
	assert.Equal(t, "lana-bank", provenance.Images["lana-bank"]["app"])

	w.commit(t, "later", map[string]string{"charts/bank/values.yaml": "other: 1\n", "charts/bank/new": "x\n"})
	assert.Equal(t, files, w.get(t, w.source(nil), v), "the same version, the same files")
}

func TestGetOfAVersionThatIsGone(t *testing.T) {
	w := newWorld(t)
	a := w.run(t, "in", t.TempDir(), object{"source": w.source(nil), "version": chartbump.Version{Commit: nowhere}})
	require.NotZero(t, a.status)
	assert.Contains(t, a.stderr, "object "+nowhere+": not in the repository; if branch main was rewritten")
}

func TestGetLeavesOutImagesWithoutADigest(t *testing.T) {
	w := newWorld(t)
	source := w.source(object{"images": []object{{"name": "lana-bank", "path": "lanaBank.image.digest"}, {"name": "new", "path": "lanaBank.new.digest"}}})
	files := w.get(t, source, chartbump.Version{Commit: w.head(t, "main")})
	assert.Contains(t, files, "lana-bank/digest")
	assert.NotContains(t, files, "new/digest")
}
