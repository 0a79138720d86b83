package ceplerboard_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
)

const config = "deployment: bank\nenvironments:\n  staging: {latest: [chart/*]}\n  production: {passed: staging, propagated: [chart/*]}\n"

// world is a deployments repository behind a server.
type world struct {
	t    *testing.T
	repo *gittest.Repository
	src  ceplerboard.Source
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	w := &world{t: t}
	w.repo, err = server.Create("team/deployments")
	require.NoError(t, err)
	w.commit("init", map[string]string{"cepler.yml": config, "chart/values.yaml": "a: 1\n"})
	w.src = ceplerboard.Source{Access: git.Access{URI: w.repo.URL(), Branch: "main", GitUser: "board bot <board@acme.example>"}}
	require.NoError(t, w.src.Validate())
	return w
}

func (w *world) commit(message string, files map[string]string) {
	w.t.Helper()
	_, err := w.repo.Commit("main", message, files)
	require.NoError(w.t, err)
}

func (w *world) step(dir string) concourse.Step {
	return concourse.Step{Dir: dir, Logf: w.t.Logf, Build: concourse.Build{ID: "9", ExternalURL: "https://ci.example"}}
}

// put publishes, and gives the version and whether it was made by this put.
func (w *world) put() (ceplerboard.Version, bool) {
	w.t.Helper()
	out, err := ceplerboard.Resource{}.Out(w.t.Context(), w.step(w.t.TempDir()), w.src, ceplerboard.PutParams{})
	require.NoError(w.t, err)
	noted := map[string]string{}
	for _, m := range out.Metadata {
		noted[m.Name] = m.Value
	}
	assert.Equal(w.t, "2", noted["environments"])
	assert.Equal(w.t, []ceplerboard.Version{out.Version}, w.check())
	return out.Version, noted["news"] == "true"
}

func (w *world) check() []ceplerboard.Version {
	w.t.Helper()
	versions, err := ceplerboard.Resource{}.Check(w.t.Context(), w.step(""), w.src, nil)
	require.NoError(w.t, err)
	return versions
}

func (w *world) get(v ceplerboard.Version) string {
	w.t.Helper()
	dir := w.t.TempDir()
	_, err := ceplerboard.Resource{}.In(w.t.Context(), w.step(dir), w.src, v, ceplerboard.GetParams{})
	require.NoError(w.t, err)
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(w.t, err)
	commit, err := os.ReadFile(filepath.Join(dir, "commit"))
	require.NoError(w.t, err)
	assert.Equal(w.t, v.Commit, string(commit))
	return string(page)
}

// The first put makes the branch, a put without news leaves it as it is, and one with news adds a commit.
func TestPuts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.Equal(t, []ceplerboard.Version{}, w.check())
	first, news := w.put()
	assert.True(t, news)
	page := w.get(first)
	assert.Contains(t, page, "<h3>bank</h3>")
	log, err := w.repo.Log("%an|%s|%(trailers:key=Build,valueonly)", "gh-pages")
	require.NoError(t, err)
	require.NotEmpty(t, log)
	assert.Regexp(t, `^board bot\|Publish the board of main at [0-9a-f]{7}\|https://ci\.example/builds/9`, log[0])

	again, news := w.put()
	assert.False(t, news)
	assert.Equal(t, first, again)

	w.commit("feat: <script>alert('news')</script>", map[string]string{"chart/values.yaml": "a: 2\n"})
	second, news := w.put()
	assert.True(t, news)
	assert.NotEqual(t, first, second)
	assert.Contains(t, w.get(second), "&lt;script&gt;alert(&#39;news&#39;)&lt;/script&gt;")
	assert.NotContains(t, w.get(second), "<script>alert")
	assert.Equal(t, page, w.get(first), "a version stays what it was")
}

// A gate that was closed is news, and so is the first page beside other files, which stay.
func TestNewsOfGatesAndOtherFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.repo.Commit("pages", "chore: a domain", map[string]string{"CNAME": "board.example\n"})
	require.NoError(t, err)
	w.src.BoardBranch, w.src.Path = "pages", "board/index.html"
	_, news := w.put()
	assert.True(t, news)
	_, err = w.repo.Commit("cepler-gates", "chore: freeze", map[string]string{"bank.yml": "staging: {freeze: true, reason: audit}\nproduction: HEAD\n"})
	require.NoError(t, err)
	v, news := w.put()
	assert.True(t, news)
	assert.Contains(t, w.get(v), "audit")
	_, err = w.repo.Commit("pages", "docs: something else", map[string]string{"other": "x\n"})
	require.NoError(t, err)
	_, news = w.put()
	assert.False(t, news, "a commit of another file is no news")
	text, err := w.repo.Show("pages", "CNAME")
	require.NoError(t, err)
	assert.Equal(t, "board.example\n", text)
}

// Of writers at once, each leaves a page that is not older than what it has seen, and nobody's commit is lost.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	errs := make([]error, 4)
	for n := range errs {
		all.Go(func() {
			_, errs[n] = ceplerboard.Resource{}.Out(t.Context(), w.step(""), w.src, ceplerboard.PutParams{})
		})
		w.commit(fmt.Sprintf("feat: number %d", n), map[string]string{"chart/values.yaml": fmt.Sprintf("a: %d\n", n+2)})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	v, _ := w.put()
	assert.Contains(t, w.get(v), "feat: number 3")
	count, err := w.repo.Log("%p", "gh-pages")
	require.NoError(t, err)
	assert.LessOrEqual(t, len(count), len(errs)+1)
	for _, parents := range count[:len(count)-1] {
		assert.Len(t, strings.Fields(parents), 1)
	}
}
