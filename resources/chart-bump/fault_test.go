package chartbump_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

func TestBadInputChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.commit(t, "more", map[string]string{"charts/bank/values.yaml": values +
		"pair: {a: " + digestA + ", b: " + digestA + "}\nfirst: &img {digest: " + digestA + "}\nagain: *img\nblock: |\n  " + digestA + "\n"})
	w.image(t, "good", digestB, revision2)
	w.write(t, map[string]string{
		"empty/digest":          "\n",
		"bare/digest":           strings.TrimPrefix(digestB, "sha256:") + "\n",
		"short/digest":          digestB[:len(digestB)-1] + "\n",
		"upper/digest":          "sha256:" + strings.ToUpper(digestB[7:]) + "\n",
		"nothing/other":         "x\n",
		"unknown/digest":        digestB,
		"badlabels/digest":      digestB,
		"badlabels/labels.json": "{",
		"tf/a.tf":               "x\n",
		"version/bad":           "latest\n",
	})
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "void"), 0o755))
	require.NoError(t, os.Symlink("/etc", filepath.Join(w.dir, "escape")))
	good := object{"lana-bank": "good"}
	at := func(path string) object { return object{"images": []object{{"name": "lana-bank", "path": path}}} }
	for _, c := range []struct {
		name           string
		source, params object
		words          []string
	}{
		{"image unknown", nil, object{"images": object{"lana-bnk": "good"}}, []string{`params.images: the source has no image "lana-bnk"`, "lana-bank"}},
		{"digest file empty", nil, object{"images": object{"lana-bank": "empty"}}, []string{"params.images.lana-bank: empty/digest is empty"}},
		{"digest without sha256", nil, object{"images": object{"lana-bank": object{"digest_file": "bare/digest"}}}, []string{"bare/digest holds", "does not begin with sha256:"}},
		{"digest of 63 digits", nil, object{"images": object{"lana-bank": "short"}}, []string{"63 characters behind sha256: and not 64"}},
		{"digest in upper case", nil, object{"images": object{"lana-bank": "upper"}}, []string{"lower case"}},
		{"artifact missing", nil, object{"images": object{"lana-bank": "absent"}}, []string{`"absent/digest" does not exist`, "the build's artifacts are", "good"}},
		{"artifact without a digest", nil, object{"images": object{"lana-bank": "nothing"}}, []string{`"nothing/digest" does not exist`}},
		{"artifact outside", nil, object{"images": object{"lana-bank": "../good"}}, []string{"leaves the build's folder"}},
		{"artifact through a link", nil, object{"images": object{"lana-bank": object{"digest_file": "escape/hostname"}}}, []string{"escape/hostname"}},
		{"provenance unknown", nil, object{"images": object{"lana-bank": "unknown"}}, []string{"nothing says what it was built from: set params.source_repository"}},
		{"labels broken", nil, object{"images": object{"lana-bank": "badlabels"}}, []string{"badlabels/labels.json"}},
		{"from is not a place", nil, object{"images": object{"lana-bank": object{"digest": "x"}}}, []string{"params.images.lana-bank: want the name of an artifact"}},
		{"nothing asked", nil, object{}, []string{"params: images: is required, or one of version_file, copy and files"}},
		{"path to a map", at("lanaBank.image"), object{"images": good}, []string{"charts/bank/values.yaml: image lana-bank: path lanaBank.image: ", "a map (line 4)", "digest"}},
		{"path to nothing", at("lanaBank.image.digst"), object{"images": good}, []string{"has no key digst (did you mean digest?)", "repository"}},
		{"path to another value", at("lanaBank.appVersion"), object{"images": good}, []string{"line 6", `"0.41.0" has no digest to replace`}},
		{"path of no item", at("dagster.deployments[name=lana].image"), object{"images": good}, []string{"dagster.deployments has no item [name=lana]", "lana-dw"}},
		{
			"two images on one line",
			object{"images": []object{{"name": "lana-bank", "path": "pair.a"}, {"name": "b", "path": "pair.b"}}},
			object{"images": object{"lana-bank": "good", "b": "good"}},
			[]string{"image b: pair.b: line 16 has another value with another comment"},
		},
		{"value behind an alias", at("again.digest"), object{"images": good}, []string{"again is the alias *img (line 18)"}},
		{"value that an alias repeats", at("first.digest"), object{"images": good}, []string{"the alias *img on line 18 uses it too"}},
		{"block scalar", at("block"), object{"images": good}, []string{"line 19: it is a block"}},
		{"path unreadable", at("lanaBank..x"), object{"images": good}, []string{"source: images[0].path: path"}},
		{"chart without Chart.yaml", object{"chart": "charts"}, object{"images": good}, []string{"has no file charts/Chart.yaml", "the folder charts has bank, other"}},
		{"chart that is not there", object{"chart": "chart/bank"}, object{"images": good}, []string{"has no file chart/bank/Chart.yaml", "the repository has README.md, charts"}},
		{"values file that is not there", object{"values": "prod.yaml"}, object{"images": good}, []string{"has no file charts/bank/prod.yaml", "Chart.yaml, tf, values.yaml"}},
		{"chart outside", object{"chart": "../bank"}, object{"images": good}, []string{"source: chart: ", "is not a path inside the repository"}},
		{"values outside", object{"values": "../values.yaml"}, object{"images": good}, []string{"source: values: "}},
		{"copy outside", nil, object{"images": good, "copy": []object{{"from": "tf", "to": "../tf"}}}, []string{"params: copy[0].to: "}},
		{"copy from outside", nil, object{"images": good, "copy": []object{{"from": "../tf", "to": "tf"}}}, []string{"params.copy[0].from: "}},
		{"copy of what is absent", nil, object{"images": good, "copy": []object{{"from": "tff", "to": "tf"}}}, []string{`params.copy[0].from: "tff" does not exist`}},
		{"copy of nothing", nil, object{"images": good, "copy": []object{{"from": "void", "to": "tf"}}}, []string{"the folder void has no files"}},
		{"copy over the values", nil, object{"images": good, "copy": []object{{"from": "tf", "to": "values.yaml"}}}, []string{"params.copy[0].to: values.yaml is, or holds, the chart's values.yaml"}},
		{
			"two copies to one path", nil,
			object{"images": good, "copy": []object{{"from": "tf", "to": "tf"}, {"from": "void", "to": "./tf"}}},
			[]string{"params: copy[1].to: ./tf is the path of copy[0].to too; remove one of them"},
		},
		{
			"file over a copy", nil,
			object{"images": good, "copy": []object{{"from": "tf", "to": "tf"}}, "files": []object{{"path": "tf", "content": "x"}}},
			[]string{"params: files[0].path: tf is the path of copy[0].to too"},
		},
		{"file into git", nil, object{"images": good, "files": []object{{"path": ".git/config", "content": "x"}}}, []string{"git's own files"}},
		{"file outside", nil, object{"images": good, "files": []object{{"path": "/etc/passwd", "content": "x"}}}, []string{"params: files[0].path: "}},
		{"version missing", object{"chart_app_version": true}, object{"images": good}, []string{"params.version_file: is required"}},
		{"version unreadable", object{"chart_app_version": true}, object{"images": good, "version_file": "version/bad"}, []string{"params.version_file: version/bad: "}},
		{"branch missing", object{"branch": "maine"}, object{"images": good}, []string{"has no branch maine"}},
		{"bot branch is the base", object{"bot_branch": "main"}, object{"images": good}, []string{"source: bot_branch: main is the base branch"}},
		{"no forge", object{"github": nil}, object{"images": good}, []string{"source: github: is required for a pull request"}},
		{"draft that merges itself", object{"draft": true, "auto_merge": true}, object{"images": good}, []string{"source: auto_merge: a draft can't merge by itself"}},
		{"merge method unknown", object{"auto_merge": "fast"}, object{"images": good}, []string{"source.auto_merge: want true, false, merge, squash or rebase"}},
		{"source repository is not a clone", nil, object{"images": good, "source_repository": "tf"}, []string{"params.source_repository tf: "}},
	} {
		t.Run(c.name, func(t *testing.T) { w.refused(t, w.source(c.source), c.params, c.words...) })
	}
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestRejectedPush(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.repo.Hook("pre-receive", "#!/bin/sh\necho 'bots may not push here' >&2\nexit 1\n"))
	w.image(t, "lana-bank", digestB, revision2)
	w.refused(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}}, "bots may not push here")
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestCutPushIsLookedAt(t *testing.T) {
	w := newWorld(t)
	w.git.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: http.MethodPost, Times: 1, Lose: true})
	a := w.bumped(t, w.source(nil), digestB, revision2)
	assert.Equal(t, "1", a.version.PR)
	assert.Equal(t, a.version.Commit+"\n", must(w.repo.Git("rev-parse", "bot-bump")))
}

func TestBaseMovedBeforeThePush(t *testing.T) {
	w := newWorld(t)
	var once sync.Once
	moved := ""
	w.git.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: http.MethodPost, Times: 1, Before: func() {
		once.Do(func() { moved = w.commit(t, "meanwhile", map[string]string{"charts/other/values.yaml": "x: 1\n"}) })
	}})
	a := w.bumped(t, w.source(nil), digestB, revision2)
	require.NotEmpty(t, moved)
	assert.Equal(t, moved+"\n", must(w.repo.Git("log", "-1", "--format=%P", "bot-bump")))
	assert.Equal(t, a.version.Commit+"\n", must(w.repo.Git("rev-parse", "bot-bump")))
	assert.Equal(t, a.version.Commit, w.pull(t).HeadCommit)
}

func TestBotBranchMovedBeforeThePush(t *testing.T) {
	w := newWorld(t)
	w.bumped(t, w.source(nil), digestB, revision2)
	w.git.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: http.MethodPost, Times: 1, Before: func() {
		_, err := w.pulls.Push("bot-bump", "ana", "by hand", map[string]string{"charts/bank/NOTES.txt": "mine\n"})
		assert.NoError(t, err)
	}})
	w.image(t, "lana-bank", digestC, revision3)
	a := w.put(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}})
	require.NotZero(t, a.status)
	assert.Contains(t, a.stderr, `"by hand"`)
	assert.Equal(t, "mine\n", w.show(t, "bot-bump", "charts/bank/NOTES.txt"))
}

func TestTwoChartsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.image(t, "lana-bank", digestB, revision2)
	other := object{"chart": "charts/other", "images": []object{{"name": "lana-bank", "path": "digest"}}}
	for _, mode := range []string{"pull-request", "push"} {
		sources := []object{w.source(nil), w.source(other)}
		sources[1]["bot_branch"] = "bot-bump-other"
		if mode == "push" {
			for _, s := range sources {
				s["mode"] = "push"
				for _, key := range []string{"github", "bot_branch", "labels"} {
					delete(s, key)
				}
			}
		}
		var group sync.WaitGroup
		answers := make([]answer, len(sources))
		for i, s := range sources {
			group.Go(func() { answers[i] = w.put(t, s, object{"images": object{"lana-bank": "lana-bank"}}) })
		}
		group.Wait()
		for _, a := range answers {
			require.Zero(t, a.status, a.stderr)
		}
	}
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Len(t, all, 2)
	assert.Contains(t, w.show(t, "main", "charts/bank/values.yaml"), digestB)
	assert.Contains(t, w.show(t, "main", "charts/other/values.yaml"), digestB)
}

func TestEditedBotBranchIsRefused(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, w *world){
		"a commit on top": func(t *testing.T, w *world) {
			t.Helper()
			_, err := w.pulls.Push("bot-bump", "ana", "fix the notes", map[string]string{"charts/bank/NOTES.txt": "mine\n"})
			require.NoError(t, err)
		},
		"the bump's commit amended": func(t *testing.T, w *world) {
			t.Helper()
			tree := strings.TrimSpace(must(w.repo.Git("rev-parse", "main^{tree}")))
			commit, err := w.repo.CommitTree(tree, must(w.repo.Git("log", "-1", "--format=%B", "bot-bump")), w.head(t, "main"))
			require.NoError(t, err)
			require.NoError(t, w.repo.UpdateRef("refs/heads/bot-bump", strings.TrimSpace(commit)))
		},
		"somebody else's branch": func(t *testing.T, w *world) {
			t.Helper()
			require.NoError(t, w.repo.UpdateRef("refs/heads/bot-bump", ""))
			_, err := w.pulls.Push("bot-bump", "ana", "own work", map[string]string{"a": "b\n"})
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bumped(t, w.source(nil), digestB, revision2)
			edit(t, w)
			w.image(t, "lana-bank", digestC, revision3)
			w.refused(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}}, "there are commits of other people on branch bot-bump", "nothing was changed. Merge or close the pull request, delete the branch, and put again")

			back := w.bumped(t, w.source(nil), digestA, revision1) // nothing left to do: it stays open
			assert.Empty(t, back.version.PR)
			assert.Contains(t, back.stderr, "stays open")
		})
	}
}

func TestUpdatedBotBranchIsStillOurs(t *testing.T) {
	w := newWorld(t)
	w.bumped(t, w.source(nil), digestB, revision2)
	w.commit(t, "meanwhile", map[string]string{"charts/other/values.yaml": "x: 1\n"})
	merge := func() {
		tree := strings.TrimSpace(must(w.repo.Git("merge-tree", "--write-tree", "bot-bump", "main")))
		commit, err := w.repo.CommitTree(tree, "Merge branch 'main' into bot-bump", w.head(t, "bot-bump"), w.head(t, "main"))
		require.NoError(t, err)
		require.NoError(t, w.repo.UpdateRef("refs/heads/bot-bump", strings.TrimSpace(commit)))
	}
	merge()
	w.commit(t, "and again", map[string]string{"README.md": "more\n"})
	merge()
	a := w.bumped(t, w.source(nil), digestC, revision3)
	assert.Equal(t, "1", a.version.PR)
	assert.Equal(t, "1\n", must(w.repo.Git("rev-list", "--count", "main..bot-bump")))
}

func TestForgeFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault github.Fault
		words []string // of the error; none: the put is green
	}{
		{"401", github.Fault{Status: http.StatusUnauthorized}, []string{"bot-bump is pushed, but its pull request is not up to date; put again", "credentials"}},
		{"rate limit that ends soon", withTimes(github.SecondaryLimit(time.Second), 1), nil},
		{"rate limit that ends late", github.PrimaryLimit(time.Now().Add(time.Hour)), []string{"limit"}},
		{"5xx, then fine", github.Fault{Status: http.StatusBadGateway, Times: 1}, nil},
		{"answer lost", github.Fault{Method: http.MethodPost, Path: "/pulls", Lose: true, Times: 1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hub.Inject(c.fault)
			w.image(t, "lana-bank", digestB, revision2)
			params := object{"images": object{"lana-bank": "lana-bank"}}
			a := w.put(t, w.source(nil), params)
			if c.words == nil {
				require.Zero(t, a.status, a.stderr)
				all, err := w.pulls.Pulls()
				require.NoError(t, err)
				assert.Len(t, all, 1)
				return
			}
			require.NotZero(t, a.status)
			for _, word := range c.words {
				assert.Contains(t, a.stderr, word)
			}
			assert.NotContains(t, a.stderr, "t0ken")
			w.hub.Heal()
			again := w.put(t, w.source(nil), params)
			require.Zero(t, again.status, again.stderr)
			assert.Equal(t, "1", again.version.PR)
		})
	}
}

func withTimes(f github.Fault, times int) github.Fault {
	f.Times = times
	return f
}

func TestAppThatIsNotInstalled(t *testing.T) {
	w := newWorld(t)
	key, err := w.hub.AddApp("77")
	require.NoError(t, err)
	w.image(t, "lana-bank", digestB, revision2)
	a := w.put(t, w.source(object{"github": object{"repository": "acme/charts", "api_url": w.hub.APIURL(), "app_id": "77", "app_private_key": key}}),
		object{"images": object{"lana-bank": "lana-bank"}})
	require.NotZero(t, a.status)
	assert.Contains(t, a.stderr, "not installed")
}

func TestPullRequestThatIsThereAlready(t *testing.T) {
	w := newWorld(t)
	w.bumped(t, w.source(nil), digestB, revision2)
	w.hub.Inject(github.Fault{Method: http.MethodGet, Path: "/pulls", Times: 1, Status: http.StatusOK, Body: "[]"})
	a := w.bumped(t, w.source(nil), digestC, revision3) // GitHub lists none, and answers 422 to a second one
	assert.Equal(t, "1", a.version.PR)
}

func TestAutoMerge(t *testing.T) {
	w := newWorld(t)
	source := w.source(object{"auto_merge": "squash"})
	a := w.bumped(t, source, digestB, revision2)
	assert.Contains(t, a.stderr, "warning:")
	assert.Contains(t, a.stderr, "Allow auto-merge")
	assert.Contains(t, a.metadata["auto-merge"], "not possible")
	w.refused(t, source, object{"images": object{"lana-bank": "lana-bank"}, "require_auto_merge": true}, "Allow auto-merge")

	w.pulls.Set(func(s *github.Settings) { s.AllowAutoMerge, s.RequiredChecks = true, []string{"ci"} })
	a = w.bumped(t, source, digestB, revision2)
	assert.Equal(t, "on", a.metadata["auto-merge"])
	assert.Equal(t, "squash", strings.ToLower(w.pull(t).AutoMerge))

	w.pulls.Set(func(s *github.Settings) { s.RequiredChecks = nil })
}

func TestDraft(t *testing.T) {
	w := newWorld(t)
	w.bumped(t, w.source(object{"draft": true}), digestB, revision2)
	assert.True(t, w.pull(t).Draft)
	w.bumped(t, w.source(nil), digestB, revision2)
	assert.False(t, w.pull(t).Draft)
}

func TestTwoPutsAtOnceOfOneBranch(t *testing.T) {
	w := newWorld(t)
	w.image(t, "one", digestB, revision2)
	w.image(t, "two", digestC, revision3)
	var group sync.WaitGroup
	answers := make([]answer, 2)
	for i, name := range []string{"one", "two"} {
		group.Go(func() { answers[i] = w.put(t, w.source(nil), object{"images": object{"lana-bank": name}}) })
	}
	group.Wait()
	for _, a := range answers {
		require.Zero(t, a.status, a.stderr)
		assert.Equal(t, "1", a.version.PR)
	}
	assert.Equal(t, "1\n", must(w.repo.Git("rev-list", "--count", "main..bot-bump")))
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

func TestNoPermissionToPush(t *testing.T) {
	w := newWorld(t)
	w.git.Inject(gittest.Fault{Path: gittest.ReceivePack, Status: http.StatusForbidden, Body: "read only"})
	w.image(t, "lana-bank", digestB, revision2)
	w.refused(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}}, "no permission")
}
