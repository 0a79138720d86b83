package chartbump_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

const (
	bankPath  = "lanaBank.image.digest"
	panelPath = "lanaBank.adminPanel.image.tag"
	dwPath    = "dagster.deployments[name=lana-dw].image"
)

// three is a source with three images.
func three(w *world) object {
	return w.source(object{"images": []object{
		{"name": "bank", "path": bankPath}, {"name": "panel", "path": panelPath}, {"name": "dw", "path": dwPath},
	}})
}

// bump puts one of the images, which must work.
func (w *world) bump(tb testing.TB, name, digest string) answer {
	tb.Helper()
	w.image(tb, name, digest, revision2)
	a := w.put(tb, three(w), object{"images": object{name: name}})
	require.Zero(tb, a.status, a.stderr)
	return a
}

// digests are those on the bot's branch of bank, panel and dw, by their first letter.
func (w *world) digests(tb testing.TB) string {
	tb.Helper()
	text := w.show(tb, "bot-bump", "charts/bank/values.yaml")
	var out strings.Builder
	for _, mark := range []string{"    digest: \"sha256:", "v0.41.0@sha256:", "dw:"} {
		_, rest, ok := strings.Cut(text, mark)
		require.True(tb, ok, mark)
		if _, after, tagged := strings.Cut(strings.SplitN(rest, "\n", 2)[0], "@sha256:"); tagged && mark == "dw:" {
			rest = after
		}
		out.WriteString(rest[:1])
	}
	return out.String()
}

// Two puts for two images before a merge: the pull request has both digests, each with its comment.
func TestAPutKeepsWhatThePullRequestHoldsForOtherImages(t *testing.T) {
	w := newWorld(t)
	first := w.bump(t, "bank", digestB)
	second := w.bump(t, "panel", digestC)
	assert.Equal(t, first.version.PR, second.version.PR)
	assert.Equal(t, "bca", w.digests(t))
	assert.Equal(t, "1\n", must(w.repo.Git("rev-list", "--count", "main..bot-bump")))
	assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"), digestB+"\" # METADATA:: repository=https://github.com/acme/bank;commit_ref=2222222;app=lana-bank; pinned, ask Ana\r\n")
	p := w.pull(t)
	assert.Equal(t, "chore(bank): bump 2 images", p.Title)
	for _, want := range []string{"### bank\n", digestB, "compare/1111111...2222222", "### panel\n", digestC} {
		assert.Contains(t, p.Body, want)
	}
	assert.Equal(t, digestB, second.metadata["bank"])

	t.Run("with a base that moves between", func(t *testing.T) {
		w.commit(t, "meanwhile", map[string]string{
			"charts/other/values.yaml": "x: 1\n", "charts/bank/values.yaml": strings.Replace(values, "# The bank.", "# The bank, explained.", 1),
		})
		w.bump(t, "dw", digestD)
		assert.Equal(t, "bcd", w.digests(t))
		assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"), "# The bank, explained.")
		assert.Equal(t, w.head(t, "main"), w.head(t, "bot-bump~1"))
	})
	t.Run("and a base that has something newer", func(t *testing.T) {
		w.commit(t, "by hand", map[string]string{"charts/bank/values.yaml": strings.Replace(values, digestA, digestE, 1)})
		a := w.bump(t, "panel", digestB)
		assert.Equal(t, "ebd", w.digests(t))
		assert.Contains(t, a.stderr, "image bank: branch main has a newer value than the pull request, and it stays: "+digestE)
		assert.NotContains(t, w.pull(t).Body, "### bank")
	})
}

// What a put says of an image takes the place of what the branch held.
func TestAPutThatTakesBackOneOfTwoImages(t *testing.T) {
	w := newWorld(t)
	w.bump(t, "bank", digestB)
	w.bump(t, "panel", digestC)
	w.bump(t, "bank", digestA)
	assert.Equal(t, "aca", w.digests(t))
	assert.Equal(t, "chore(bank): bump panel image to '"+digestC+"'", w.pull(t).Title)
}

// People who merge or close a pull request have decided about all that it held.
func TestADecidedPullRequestHoldsNothing(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method+", and taken back", func(t *testing.T) {
			w := newWorld(t)
			w.bump(t, "bank", digestB)
			_, err := w.pulls.Merge(1, method, "ana")
			require.NoError(t, err)
			w.commit(t, "revert", map[string]string{"charts/bank/values.yaml": values})
			a := w.bump(t, "panel", digestC)
			assert.Equal(t, "2", a.version.PR)
			assert.Equal(t, "aca", w.digests(t), "what was taken back is not proposed again")
		})
	}
	t.Run("closed, and open again", func(t *testing.T) {
		w := newWorld(t)
		w.bump(t, "bank", digestB)
		require.NoError(t, w.pulls.ClosePull(1))
		require.NoError(t, w.pulls.Reopen(1))
		w.bump(t, "panel", digestC)
		assert.Equal(t, "bca", w.digests(t))
		require.NoError(t, w.pulls.ClosePull(1))
		a := w.bump(t, "dw", digestD)
		assert.Equal(t, "2", a.version.PR)
		assert.Equal(t, "aad", w.digests(t), "a person refused the others")
	})
}

// A put that pushed and then failed at the forge has stated its digest: nobody decided against it.
func TestABranchWithoutAPullRequestHoldsItsDigests(t *testing.T) {
	w := newWorld(t)
	w.hub.Inject(github.Fault{Method: http.MethodPost, Path: "/pulls", Status: http.StatusForbidden})
	w.image(t, "bank", digestB, revision2)
	a := w.put(t, three(w), object{"images": object{"bank": "bank"}})
	require.NotZero(t, a.status)
	w.hub.Heal()
	w.bump(t, "panel", digestC)
	assert.Equal(t, "bca", w.digests(t))
}

// Copied and written files are kept like digests, until a put says otherwise.
func TestAPutKeepsTheFilesOfAnEarlierOne(t *testing.T) {
	w := newWorld(t)
	w.image(t, "bank", digestB, revision2)
	w.image(t, "panel", digestC, revision2)
	w.write(t, map[string]string{"tf/a.tf": "a\n", "more/b.tf": "b\n"})
	first := object{"images": object{"bank": "bank"}, "copy": []object{{"from": "tf", "to": "tf"}}, "files": []object{{"path": "is-release", "content": "true"}}}
	require.Zero(t, w.put(t, three(w), first).status)
	require.Zero(t, w.put(t, three(w), object{"images": object{"panel": "panel"}}).status)
	tree := must(w.repo.Git("ls-tree", "-r", "--name-only", "bot-bump", "charts/bank"))
	assert.Equal(t, "charts/bank/Chart.yaml\ncharts/bank/is-release\ncharts/bank/tf/a.tf\ncharts/bank/values.yaml\n", tree, "old/gone.tf stays deleted")
	require.Zero(t, w.put(t, three(w), object{"copy": []object{{"from": "more", "to": "tf"}}}).status)
	tree = must(w.repo.Git("ls-tree", "-r", "--name-only", "bot-bump", "charts/bank"))
	assert.Equal(t, "charts/bank/Chart.yaml\ncharts/bank/is-release\ncharts/bank/tf/b.tf\ncharts/bank/values.yaml\n", tree)
	assert.Equal(t, "bca", w.digests(t))
}

// Three bots at once on one base, which moves meanwhile: no digest is lost, and there is one pull request
// that tells of all.
func TestThreePutsAtOnceForThreeImages(t *testing.T) {
	w := newWorld(t)
	var group sync.WaitGroup
	answers := map[string]*answer{"bank": {}, "panel": {}, "dw": {}}
	for name, digest := range map[string]string{"bank": digestB, "panel": digestC, "dw": digestD} {
		w.image(t, name, digest, revision2)
		group.Go(func() { *answers[name] = w.put(t, three(w), object{"images": object{name: name}}) })
	}
	group.Go(func() {
		for i := range 3 {
			w.commit(t, "meanwhile", map[string]string{"charts/other/values.yaml": fmt.Sprint("x: ", i, "\n")})
		}
	})
	group.Wait()
	for _, a := range answers {
		require.Zero(t, a.status, a.stderr)
	}
	assert.Equal(t, "bcd", w.digests(t))
	assert.Equal(t, "1\n", must(w.repo.Git("rev-list", "--count", "main..bot-bump")))
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, "chore(bank): bump 3 images", all[0].Title)
}

// The rule behind it all: the pull request holds what the base would hold if each put had been merged at
// once.
func TestProposedIsWhatPushModeWouldHave(t *testing.T) {
	const runs, puts = 3, 6
	for seed := range uint64(runs) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			proposed, pushed := newWorld(t), newWorld(t)
			push := three(pushed)
			push["mode"] = "push"
			for _, key := range []string{"github", "bot_branch", "labels"} {
				delete(push, key)
			}
			for range puts {
				params := randomPut(random)
				for w, source := range map[*world]object{proposed: three(proposed), pushed: push} {
					for i, name := range []string{"bank", "panel", "dw"} {
						w.image(t, name, params.digests[i], revision2)
					}
					a := w.put(t, source, params.params)
					require.Zero(t, a.status, a.stderr)
				}
			}
			assert.Equal(t, must(pushed.repo.Git("rev-parse", "main^{tree}")), must(proposed.repo.Git("rev-parse", "bot-bump^{tree}")))
		})
	}
}

type randomised struct {
	digests []string
	params  object
}

func randomPut(random *rand.Rand) randomised {
	all := []string{digestB, digestC, digestD}
	out := randomised{params: object{}}
	images := object{}
	for _, name := range []string{"bank", "panel", "dw"} {
		out.digests = append(out.digests, all[random.IntN(len(all))])
		if random.IntN(2) == 0 {
			images[name] = name
		}
	}
	if len(images) > 0 {
		out.params["images"] = images
	}
	if len(images) == 0 || random.IntN(3) == 0 {
		out.params["files"] = []object{{"path": fmt.Sprint("file-", random.IntN(2)), "content": fmt.Sprint(random.IntN(3))}}
	}
	return out
}
