package semvergit_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// newCode is a world with code on main, of which 0.41.0 is released.
func newCode(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.tag("v0.41.0", w.code("feat: all there was"))
	w.is("0.41.0\n")
	return w
}

// conventionally puts what the commits of a fresh clone ask for.
func (w *world) conventionally(params keys, clone ...string) says {
	w.tb.Helper()
	w.clone("repo", clone...)
	return w.put(release(params))
}

// release is the params of a conventional put.
func release(params keys) keys {
	all := keys{"bump": "conventional", "repository": "repo"}
	maps.Copy(all, params)
	return all
}

// Candidates are counted until they become final; features raise minor, fixes
// patch, breaking changes major; tags mark exactly the commit that was tested.
func TestCandidatesThroughTheProtocol(t *testing.T) {
	for name, source := range map[string]keys{"tags": nil, "no tags but the finals'": {}} {
		t.Run(name, func(t *testing.T) {
			w := newCode(t)
			tagged := source == nil
			candidate := func(message, want string) {
				t.Helper()
				head := w.code(message)
				s := w.conventionally(keys{"pre": "rc", "tag": tagged})
				require.Equal(t, want, s.version.Number)
				if tagged {
					at, err := w.repo.RevParse("refs/tags/v" + want)
					require.NoError(t, err)
					require.Equal(t, head, at)
				}
			}
			final := func(want string) {
				t.Helper()
				w.clone("repo")
				require.Equal(t, want, w.put(keys{"bump": "final", "repository": "repo", "tag": true}).version.Number)
			}
			candidate("feat: loans", "0.42.0-rc.1")
			candidate("fix: interest", "0.42.0-rc.2")
			candidate("docs: loans", "0.42.0-rc.3")
			final("0.42.0")
			candidate("fix: rounding", "0.42.1-rc.1")
			candidate("feat: grants", "0.43.0-rc.1")
			candidate("fix(api)!: other names", "1.0.0-rc.1")
			candidate("fix: names", "1.0.0-rc.2")
			final("1.0.0")
			candidate("perf: faster\n\nBREAKING CHANGE: the old format is gone", "2.0.0-rc.1")
			require.NoError(t, w.repo.Fsck())
		})
	}
}

// The choice is explained: the commits that decided, by rule, to people and as
// metadata.
func TestChoiceIsExplained(t *testing.T) {
	w := newCode(t)
	fix := w.code("fix: interest")
	feat := w.code("feat(loans): by mail")
	w.code("update the readme")
	s := w.conventionally(keys{"pre": "rc"})
	for _, said := range []string{s.stderr, s.meta["because"]} {
		assert.Contains(t, said, "0.42.0-rc.1: minor since 0.41.0")
		assert.Contains(t, said, feat[:7]+" feat(loans): by mail (feat → minor)")
		assert.NotContains(t, said, fix[:7])
	}
	assert.Contains(t, s.stderr, "version on branch version is now 0.42.0-rc.1, after 0.41.0")
}

// A get of the version writes its notes and tag, the same at any time.
func TestNotesOfAVersion(t *testing.T) {
	w := newCode(t)
	w.code("feat(loans): by mail (#12)")
	w.code("fix!: interest")
	w.code("chore: tidy up")
	v := w.conventionally(keys{"pre": "rc", "tag": true}).version
	files := w.get(v, nil)
	assert.Equal(t, "v1.0.0-rc.1", files["tag"])
	assert.Equal(t, "rc.1", files["prerelease"])
	notes := files["release-notes.md"]
	assert.Regexp(t, `^## \[1.0.0-rc.1\](\(.*\))? - \d{4}-\d{2}-\d{2}\n\n### Features\n\n- \*\(loans\)\* By mail`, notes)
	assert.Contains(t, notes, "### Bug Fixes\n\n- [**breaking**] Interest")
	assert.NotContains(t, notes, "All there was")
	assert.NotContains(t, notes, "Put:")

	// other commits, tags and versions later
	w.tag("v2.0.0", w.code("feat: much more"))
	w.is("2.0.0\n")
	assert.Equal(t, files, w.get(v, nil))

	// bumped here only, with the tag to match
	assert.Equal(t, "v1.0.0", w.get(v, keys{"bump": "final"})["tag"])
}

// Putting the same commit again does no harm: it has its version already.
func TestSameCommitTwice(t *testing.T) {
	w := newCode(t)
	w.code("feat: loans")
	first := w.conventionally(keys{"pre": "rc", "tag": true})
	refs := w.refs()
	again := w.conventionally(keys{"pre": "rc", "tag": true})
	assert.Equal(t, first.version, again.version)
	assert.Equal(t, refs, w.refs())
	assert.Contains(t, again.stderr, "this commit is 0.42.0-rc.1 already")
	for _, name := range []string{"number", "code", "tag", "because"} {
		assert.NotEmpty(t, again.meta[name])
		assert.Equal(t, first.meta[name], again.meta[name], name)
	}

	// also when the branch has gone on
	w.code("fix: interest")
	assert.Equal(t, "0.42.0-rc.2", w.conventionally(keys{"pre": "rc", "tag": true}).version.Number)
	_, err := gittest.Open(filepath.Join(w.dir, "repo")).Git("checkout", "-q", "HEAD^")
	require.NoError(t, err)
	assert.Equal(t, first.version, w.put(release(keys{"pre": "rc", "tag": true})).version)

	// a release, without a candidate
	w.clone("repo")
	first = w.put(release(keys{"tag": true}))
	assert.Equal(t, "0.42.0", first.version.Number)
	refs = w.refs()
	for _, params := range []keys{{}, {"no_bump": "keep"}, {"no_bump": "fail"}, {"no_bump": "patch"}} {
		params["tag"] = true
		assert.Equal(t, first.version, w.put(release(params)).version, params)
		assert.Equal(t, refs, w.refs(), params)
	}
	// but there is no candidate of what is out
	assert.Contains(t, w.refused(release(keys{"tag": true, "pre": "rc", "no_bump": "fail"})), "nothing to release")
}

// A tag that is missing, because an older put did not make it, is made later.
func TestTagAlone(t *testing.T) {
	w := newCode(t)
	w.clone("repo")
	before, err := w.repo.RevParse("version")
	require.NoError(t, err)
	head := w.code("fix: a")
	w.clone("repo")
	w.put(release(nil))
	s := w.put(release(keys{"tag": true}))
	assert.Equal(t, "0.41.1", s.version.Number)
	at, err := w.repo.RevParse("v0.41.1")
	require.NoError(t, err)
	assert.Equal(t, head, at)
	commits, err := w.repo.Log("%s", before+"..version")
	require.NoError(t, err)
	assert.Len(t, commits, 1)
}

// When the tag is refused, the version is not set either, and the other way
// round.
func TestTagAndVersionMoveTogether(t *testing.T) {
	w := newCode(t)
	w.code("feat: loans")
	w.clone("repo")
	for _, ref := range []string{"refs/tags/v0.42.0", "refs/heads/version"} {
		require.NoError(t, w.repo.Hook("update", `if [ "$1" = `+ref+` ]; then echo "not this ref" >&2; exit 1; fi`))
		assert.Contains(t, w.refused(release(keys{"tag": true})), "not this ref")
	}
	require.NoError(t, w.repo.Hook("update", ""))
	w.tag("v0.42.0", w.code("fix: other"))
	assert.Contains(t, w.refused(release(keys{"bump": "0.42.0", "tag": true})), "v0.42.0 marks commit")
}

// A candidate becomes final at a commit that has what the candidate has, whether
// a tag marked it or not.
func TestFinalOfAnotherCommit(t *testing.T) {
	for _, tag := range []bool{true, false} {
		w := newCode(t)
		w.code("feat: loans")
		w.conventionally(keys{"pre": "rc", "tag": tag})
		w.clone("older")
		next := w.code("fix!: other names")
		require.Equal(t, "1.0.0-rc.1", w.conventionally(keys{"pre": "rc", "tag": tag}).version.Number)
		said := w.refused(keys{"bump": "final", "repository": "older", "tag": true})
		assert.Contains(t, said, "1.0.0 of 1.0.0-rc.1, which is commit "+next[:7]+", but older is at ")

		// the merge of its pull request comes after it
		merged := w.code("ci: release 1.0.0")
		w.clone("repo")
		require.Equal(t, "1.0.0", w.put(keys{"bump": "final", "repository": "repo", "tag": true}).version.Number)
		at, err := w.repo.RevParse("v1.0.0")
		require.NoError(t, err)
		assert.Equal(t, merged, at)
	}
}

// Of several puts at once for different commits, each gets a candidate of its own.
func TestCandidatesAtOnce(t *testing.T) {
	const puts = 6
	w := newCode(t)
	w.code("feat: loans")
	for i := range puts {
		w.code("fix: " + string(rune('a'+i)))
		w.clone("repo" + string(rune('a'+i)))
	}
	answers := together(puts, func(i int) says {
		return w.tryPut(release(keys{"pre": "rc", "tag": true, "repository": "repo" + string(rune('a'+i))}))
	})
	requireConsecutive(t, w, answers, "0.42.0-rc.%d", 1)
	tags, err := w.repo.Git("tag", "--list", "v0.42.0-rc.*")
	require.NoError(t, err)
	assert.Len(t, strings.Fields(tags), puts)
}

func TestNothingToRelease(t *testing.T) {
	w := newCode(t)
	w.code("docs: more")
	w.code("merge it")
	before, err := w.repo.RevParse("version")
	require.NoError(t, err)
	for _, params := range []keys{nil, {"no_bump": "keep"}, {"pre": "rc", "tag": true}} {
		s := w.conventionally(params)
		assert.Equal(t, semvergit.Version{Number: "0.41.0", Commit: before}, s.version)
		assert.Contains(t, s.stderr, "nothing to release")
	}
	assert.Contains(t, w.refused(release(keys{"no_bump": "fail"})), "nothing to release: none of 2 commits since 0.41.0 asks for it")
	assert.Equal(t, "0.41.1-rc.1", w.conventionally(keys{"no_bump": "patch", "pre": "rc"}).version.Number)
}

// The present version is the higher of what the branch and the tags say, so that nothing to release is
// not a step back to the initial version.
func TestNothingToReleaseBesideTags(t *testing.T) {
	for name, c := range map[string]struct{ branch, tag string }{
		"no branch yet":        {"", "v2.4.0"},
		"an older branch":      {"2.3.0\n", "v2.4.0"},
		"a candidate's branch": {"2.4.0-rc.3\n", "v2.4.0"},
		"a candidate's tag":    {"2.3.0\n", "v2.4.0-rc.1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			want := strings.TrimPrefix(c.tag, "v")
			released := w.code("chore: all there was")
			w.tag("v2.3.0", released)
			if c.branch != "" {
				w.is(c.branch)
			}
			candidate := w.code("docs: more")
			w.tag(c.tag, candidate)
			w.code("docs: even more")
			w.clone("repo")
			assert.Contains(t, w.refused(release(keys{"no_bump": "fail"})), "no_bump: keep would succeed with "+want)
			s := w.put(release(nil))
			assert.Equal(t, want, s.version.Number)
			assert.Equal(t, []semvergit.Version{s.version}, w.check(nil))
			files := w.get(s.version, nil)
			assert.Equal(t, c.tag, files["tag"])
			assert.Contains(t, files["version.json"], candidate, "the commit that the tag marks")
			assert.Equal(t, s.version, w.put(release(nil)).version, "once is enough")
		})
	}
}

// Without a tag, the first release is made for any commit, unless the params or the branch forbid it.
func TestNothingToReleaseBeforeTheFirst(t *testing.T) {
	w := newWorld(t)
	w.code("docs: begin")
	w.code("docs: more")
	w.clone("repo")
	assert.Contains(t, w.refused(release(keys{"no_bump": "fail"})), "nothing to release: no version is tagged yet, and no commit asks for one")
	assert.Equal(t, "0.1.0", w.put(release(keys{"no_bump": "patch"})).version.Number)
	commit := w.is("1.5.0\n")
	assert.Equal(t, semvergit.Version{Number: "1.5.0", Commit: commit}, w.put(release(nil)).version)
	assert.Contains(t, w.refused(release(keys{"no_bump": "fail"})), "no_bump: keep would succeed with 1.5.0")
	w.code("feat: at last")
	assert.Equal(t, "0.1.0", w.with(keys{"branch": "other"}).conventionally(keys{"no_bump": "fail"}).version.Number)
}

// Dates say nothing about what came before what: the same second for all is what an import leaves.
func TestEqualDatesAreNoOldChanges(t *testing.T) {
	w := newWorld(t)
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	series := w.repo.Import()
	old := series.Commit("main", "feat!: begin anew").At(day).Write("a", "0")
	for range 70 {
		series.Commit("main", "chore: work").At(day)
	}
	series.Tag("v1.0.0", "", series.Commit("main", "chore: release").At(day).Write("a", "1"))
	fix := series.Commit("fix", "fix: interest").From(old).At(day).Write("b", "1")
	series.Commit("main", "Merge branch 'fix'").Merge(fix).At(day)
	require.NoError(t, series.Done())
	assert.Equal(t, "1.0.1", w.conventionally(nil).version.Number)
	assert.Equal(t, "1.0.1", w.with(keys{"branch": "shallow"}).conventionally(nil, "--depth=2").version.Number)
}

// A roll-back is a release, also with the message that git or a forge writes for it.
func TestRevertIsReleased(t *testing.T) {
	w := newCode(t)
	w.tag("v0.42.0", w.code("feat: loans"))
	w.is("0.42.0\n")
	_, err := w.repo.Commit("main", "Revert \"feat: loans\" (#12)\n\nReverts acme/bank#11", map[string]string{"src/main.go": "as before"})
	require.NoError(t, err)
	s := w.conventionally(nil)
	assert.Equal(t, "0.42.1", s.version.Number)
	assert.Contains(t, w.get(s.version, nil)["release-notes.md"], "- Revert: Feat: loans")
}

// For one run a person says what is to come.
func TestOverride(t *testing.T) {
	w := newCode(t)
	w.code("fix: interest")
	for _, c := range []struct{ bump, pre, want string }{
		{"minor", "rc", "0.42.0-rc.1"},
		{"0.42.0", "rc", "0.42.0-rc.2"},
		{"conventional", "rc", "0.42.0-rc.3"}, // a candidate that is out is not taken back
		{"major", "", "1.0.0"},
		{"1.4.0", "", "1.4.0"},
	} {
		s := w.conventionally(keys{"bump": c.bump, "pre": c.pre, "allow_downgrade": true}.withoutEmpty())
		assert.Equal(t, c.want, s.version.Number, "%v", c)
	}
	assert.Contains(t, w.refused(release(keys{"bump": "0.40.0"})), "would go backwards")
	assert.Equal(t, "2.0.0", w.put(keys{"bump": "2.0.0"}).version.Number, "without a repository too")
	assert.Equal(t, "2.1.0-rc.1", w.put(keys{"bump": "2.1.0", "pre": "rc"}).version.Number)
	assert.Equal(t, "2.1.0-rc.2", w.put(keys{"bump": "2.1.0", "pre": "rc"}).version.Number)
}

func (k keys) withoutEmpty() keys {
	for key, value := range k {
		if value == "" {
			delete(k, key)
		}
	}
	return k
}

// A final version on the branch that no tag marks would be gone back from.
func TestVersionWithoutItsTag(t *testing.T) {
	w := newCode(t)
	w.is("0.50.0\n")
	w.code("fix: interest")
	w.clone("repo")
	said := w.refused(release(nil))
	assert.Contains(t, said, "no tag says which commit 0.50.0 is")
	assert.Contains(t, said, "fetch_tags: true")
	assert.Equal(t, "0.41.1", w.put(release(keys{"allow_downgrade": true})).version.Number)
}

func TestFirstRelease(t *testing.T) {
	w := newWorld(t)
	w.code("chore: begin")
	w.clone("repo")
	s := w.put(release(keys{"pre": "rc", "tag": true}))
	assert.Equal(t, "0.1.0-rc.1", s.version.Number)
	assert.Contains(t, s.stderr, "no version is released yet")
	w.code("fix: a")
	assert.Equal(t, "0.1.0-rc.2", w.conventionally(keys{"pre": "rc", "tag": true}).version.Number)
	_, err := w.repo.RevParse("refs/tags/0.1.0-rc.2")
	require.NoError(t, err)
}

// The types of the repository's own cocogitto config count, those of the source
// before them; its tag prefix counts too.
func TestCogTOML(t *testing.T) {
	w := newWorld(t)
	series := w.repo.Import()
	first := series.Commit("main", "feat: all there was").Write("cog.toml", `tag_prefix = "bank-"
ignore_merge_commits = true
[commit_types]
feat = { bump_minor = false, bump_patch = true }
chore = { bump_patch = true }
`)
	require.NoError(t, series.Done())
	w.tag("bank-0.41.0", first.Hash())
	w.tag("v7.0.0", first.Hash())
	w.code("feat: loans")
	w = w.with(keys{"cog_toml": "cog.toml"})
	s := w.conventionally(keys{"pre": "rc", "tag": true})
	assert.Equal(t, "0.41.1-rc.1", s.version.Number)
	assert.Equal(t, "bank-0.41.1-rc.1", w.get(s.version, nil)["tag"])

	w.code("fix: interest")
	other := w.with(keys{"commit_types": keys{"fix": "minor"}})
	assert.Equal(t, "0.42.0-rc.1", other.conventionally(keys{"pre": "rc"}).version.Number)

	w.clone("repo")
	assert.Contains(t, w.with(keys{"cog_toml": "cog2.toml"}).refused(release(nil)), "the commit has no file cog2.toml")
}

// A breaking change leads from 0.x to 1.0.0, unless the rule of cocogitto is
// asked for; above 0.x there is but one rule.
func TestKeepZero(t *testing.T) {
	w := newCode(t)
	w.code("fix!: other names")
	assert.Equal(t, "1.0.0-rc.1", w.conventionally(keys{"pre": "rc"}).version.Number)
	kept := w.with(keys{"keep_zero": true, "branch": "kept"})
	s := kept.conventionally(keys{"pre": "rc"})
	assert.Equal(t, "0.41.1-rc.1", s.version.Number)
	assert.Contains(t, s.stderr, "fix!: other names (breaking, but 0.x stays: fix → patch)")
	w.tag("v1.0.0", w.code("fix: a"))
	w.code("fix!: names again")
	assert.Equal(t, "2.0.0", kept.conventionally(nil).version.Number)
}

func TestPathsOfAMonorepo(t *testing.T) {
	w := newWorld(t)
	series := w.repo.Import()
	first := series.Commit("main", "feat: both").Write("api/a", "1").Write("web/a", "1")
	series.Commit("main", "feat: of the web").Write("web/b", "1")
	series.Commit("main", "fix: of the api").Write("api/b", "1")
	series.Commit("main", "feat!: of the web again").Write("web/b", "2")
	series.Tag("api-1.0.0", "", first)
	series.Tag("web-3.0.0", "", first)
	require.NoError(t, series.Done())
	api := w.with(keys{"paths": []string{"api/**"}, "tag_prefix": "api-", "file": "api"})
	web := w.with(keys{"paths": []string{"web"}, "tag_prefix": "web-", "file": "web"})
	assert.Equal(t, "1.0.1", api.conventionally(keys{"tag": true}).version.Number)
	s := web.conventionally(keys{"tag": true})
	assert.Equal(t, "4.0.0", s.version.Number)
	assert.NotContains(t, web.get(s.version, nil)["release-notes.md"], "Of the api")
	for _, tag := range []string{"api-1.0.1", "web-4.0.0"} {
		_, err := w.repo.RevParse("refs/tags/" + tag)
		require.NoError(t, err)
	}
}

// A clone that is too shallow, or has no tags, is completed from uri.
func TestShallowCloneIsCompleted(t *testing.T) {
	w := newCode(t)
	for range 3 {
		w.code("feat: loans")
	}
	w.code("fix: interest")
	shallow := []string{"--depth=1", "--no-tags"}
	s := w.conventionally(keys{"pre": "rc"}, shallow...)
	assert.Equal(t, "0.42.0-rc.1", s.version.Number)
	assert.Contains(t, s.stderr, "the clone is shallow")
	assert.Equal(t, 3, strings.Count(w.get(s.version, nil)["release-notes.md"], "Loans"))
	assert.Equal(t, "0.42.0-rc.2", w.conventionally(keys{"pre": "rc", "tag": true}, "--no-tags").version.Number)

	// main has gone on, so that no ref says that both are one repository
	w.clone("repo", shallow...)
	_, err := gittest.Open(filepath.Join(w.dir, "repo")).Git("update-ref", "-d", "refs/remotes/origin/main")
	require.NoError(t, err)
	w.code("fix: more")
	assert.Equal(t, "0.42.0-rc.3", w.put(release(keys{"pre": "rc"})).version.Number)
}

// Where the code is in another repository than the version, its clone has to
// have what is needed, and can't be tagged in the same push.
func TestCodeInAnotherRepository(t *testing.T) {
	w := newCode(t)
	w.code("feat: loans")
	w.code("fix: interest")
	versions, err := w.server.Create("versions")
	require.NoError(t, err)
	elsewhere := w.with(keys{"uri": versions.URL()})
	elsewhere.repo = versions
	w.clone("repo", "--depth=1")
	said := elsewhere.refused(release(nil))
	assert.Contains(t, said, "too shallow")
	assert.Contains(t, said, "fetch_tags: true, and leave out depth")

	w.clone("repo")
	assert.Contains(t, elsewhere.refused(release(keys{"tag": true})), "is not in "+versions.URL())
	assert.Contains(t, elsewhere.refused(release(keys{"changelog": "CHANGELOG.md"})), "leave changelog out")
	s := elsewhere.put(release(keys{"pre": "rc"}))
	assert.Equal(t, "0.42.0-rc.1", s.version.Number)
	files := elsewhere.get(s.version, nil)
	assert.Contains(t, files["release-notes.md"], "Loans")
	assert.Equal(t, "v0.42.0-rc.1", files["tag"], "as the tags there are, for whoever makes it")
}

// A tag that only the remote has yet counts: the cache of a git resource does
// not notice that a commit was tagged.
func TestTagsOfTheRemoteCount(t *testing.T) {
	w := newCode(t)
	w.tag("v0.45.0", w.code("feat: loans"))
	w.code("fix: interest")
	w.clone("repo")
	_, err := gittest.Open(filepath.Join(w.dir, "repo")).Git("tag", "-d", "v0.45.0")
	require.NoError(t, err)
	assert.Equal(t, "0.45.1", w.put(release(nil)).version.Number)
}

// Where the version lives beside the code, the changelog is written in the same
// commit, and the commit that was tested is what is tagged.
func TestChangelog(t *testing.T) {
	w := newWorld(t)
	series := w.repo.Import()
	first := series.Commit("main", "feat: all there was").Write("version", "1.0.0\n").Write("CHANGELOG.md", "# Changelog\n\n## [1.0.0] - 2026-01-01\n\n- all\n")
	tested := series.Commit("main", "feat: loans").Write("a", "1")
	series.Tag("1.0.0", "", first)
	require.NoError(t, series.Done())
	w = w.with(keys{"branch": "main"})
	w.clone("repo")
	w.code("fix: not tested yet")
	s := w.put(release(keys{"changelog": "CHANGELOG.md", "tag": true}))
	assert.Equal(t, "1.1.0", s.version.Number)
	text, err := w.repo.Show("main", "CHANGELOG.md")
	require.NoError(t, err)
	assert.Regexp(t, `^# Changelog\n\n## \[1.1.0\].*\n\n### Features\n\n- Loans\n\n## \[1.0.0\] - 2026-01-01\n\n- all\n$`, text)
	at, err := w.repo.RevParse("1.1.0")
	require.NoError(t, err)
	assert.Equal(t, tested.Hash(), at)
	changed, err := w.repo.Git("diff-tree", "--name-only", "--no-commit-id", "-r", "main")
	require.NoError(t, err)
	assert.Equal(t, "CHANGELOG.md\nversion\n", changed)

	refs := w.refs()
	assert.Equal(t, s.version, w.put(release(keys{"changelog": "CHANGELOG.md", "tag": true})).version)
	assert.Equal(t, refs, w.refs())
}

// The put needs no git program and writes nothing into the artifact.
func TestArtifactStaysAsItIs(t *testing.T) {
	w := newCode(t)
	w.code("feat: loans")
	w.clone("repo")
	before := listing(t, w.dir)
	t.Setenv("PATH", "")
	s := w.tryPut(release(keys{"pre": "rc", "tag": true}))
	require.Zero(t, s.status, s.stderr)
	assert.Equal(t, before, listing(t, w.dir))
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil {
			info, _ := d.Info()
			all = append(all, p+" "+info.Mode().String()+" "+info.ModTime().String())
		}
		return err
	}))
	return all
}
