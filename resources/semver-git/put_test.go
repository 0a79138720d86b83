package semvergit_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// Puts at the same time get as many versions, one after the other without a gap, and each of them is on the branch.
func TestManyPutsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		world func(testing.TB) *world
		puts  int
	}{
		"http": {newWorld, gittest.Writers(6, 20)},
		"ssh":  {newWorldOverSSH, gittest.Writers(3, 20)},
	} {
		t.Run(name, func(t *testing.T) {
			w, puts := c.world(t), c.puts
			w.is("1.2.3\n")
			answers := together(puts, func(int) says { return w.tryPut(keys{"bump": "patch"}) })
			requireConsecutive(t, w, answers, "1.2.%d", 4)
			assert.Len(t, w.check(keys{"number": "1.2.4"}), puts)
		})
	}
}

func together(n int, put func(i int) says) []says {
	answers := make([]says, n)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = put(i) })
	}
	group.Wait()
	return answers
}

// requireConsecutive wants all the answers to be different, without a gap, and
// in the branch's history.
func requireConsecutive(t *testing.T, w *world, answers []says, format string, first int) {
	t.Helper()
	claimed := map[string]string{}
	for _, s := range answers {
		require.Zero(t, s.status, s.stderr)
		assert.Empty(t, claimed[s.version.Number], "two puts answer %s", s.version.Number)
		claimed[s.version.Number] = s.version.Commit
	}
	history, err := w.repo.Log("%H", "version")
	require.NoError(t, err)
	assert.Len(t, history, len(answers)+1)
	for i := range answers {
		number := fmt.Sprintf(format, first+i)
		require.Contains(t, claimed, number)
		assert.Contains(t, history, claimed[number])
		content, err := w.repo.Show(claimed[number], "version")
		require.NoError(t, err)
		assert.Equal(t, number+"\n", content)
	}
	require.NoError(t, w.repo.Fsck())
}

// A server that says no is believed, its words are shown, and no version is
// claimed.
func TestHookRejects(t *testing.T) {
	for name, make := range map[string]func(testing.TB) *world{"http": newWorld, "ssh": newWorldOverSSH} {
		t.Run(name, func(t *testing.T) {
			w := make(t)
			w.is("1.2.3\n")
			require.NoError(t, w.repo.Hook("pre-receive", "echo 'versions are frozen until Monday' >&2; exit 1"))
			for _, params := range []keys{{"bump": "minor"}, {"file": "in/version"}} {
				w.artifact("in/version", "2.0.0\n")
				said := w.refused(params)
				assert.Contains(t, said, "versions are frozen until Monday")
				assert.Contains(t, said, "was not set")
			}
		})
	}
}

// The connection dies after the server took the push: the put finds out, and
// tells the version once.
func TestConnectionDiesAfterThePush(t *testing.T) {
	for name, make := range map[string]func(testing.TB) *world{"http": newWorld, "ssh": newWorldOverSSH} {
		t.Run(name, func(t *testing.T) {
			w := make(t)
			w.is("1.2.3\n")
			require.NoError(t, w.repo.CutPushes(true))
			s := w.put(keys{"bump": "minor"})
			assert.Equal(t, "1.3.0", s.version.Number)
			require.NoError(t, w.repo.CutPushes(false))
			assert.Equal(t, []semvergit.Version{s.version}, w.check(nil))
			history, err := w.repo.Log("%s", "version")
			require.NoError(t, err)
			assert.Len(t, history, 2)
		})
	}
}

// The connection dies before the server took the push: it is sent again.
func TestConnectionDiesBeforeThePush(t *testing.T) {
	w := newWorld(t)
	w.is("1.2.3\n")
	w.server.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: http.MethodPost, Status: http.StatusBadGateway, Times: 1})
	assert.Equal(t, "1.2.4", w.put(keys{"bump": "patch"}).version.Number)
	history, err := w.repo.Log("%s", "version")
	require.NoError(t, err)
	assert.Len(t, history, 2)
}

// Somebody sets another version between the reading and the push: the bump is
// made again, from theirs.
func TestBumpsAgainWhenTheBranchMoved(t *testing.T) {
	w := newWorld(t)
	w.is("1.2.3\n")
	w.server.Inject(gittest.Fault{Path: gittest.ReceivePack, Times: 1, Before: func() { w.is("2.0.0\n") }})
	s := w.put(keys{"bump": "minor"})
	assert.Equal(t, "2.1.0", s.version.Number)
	assert.Equal(t, "2.0.0", s.meta["previous"])
}

// Putting twice what is there already does no harm.
func TestPutTwice(t *testing.T) {
	w := newWorld(t)
	w.is("1.2.3\n")
	w.artifact("in/version", " 1.3.0-rc.1\r\n")
	for what, params := range map[string]keys{"file": {"file": "in/version"}, "final": {"bump": "final"}} {
		first := w.put(params)
		refs := w.refs()
		second := w.put(params)
		assert.Equal(t, first.version, second.version, what)
		assert.Equal(t, refs, w.refs(), what)
		assert.Contains(t, second.stderr, "already")
	}
}

func TestGetLatestChangesNothing(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, semvergit.Version{Number: "0.0.0"}, w.put(keys{"get_latest": true}).version)
	h := w.is("1.2.3\n")
	refs := w.refs()
	assert.Equal(t, semvergit.Version{Number: "1.2.3", Commit: h}, w.put(keys{"get_latest": true}).version)
	assert.Equal(t, refs, w.refs())
}

func TestDowngradeHasToBeAllowed(t *testing.T) {
	w := newWorld(t)
	w.is("1.2.3\n")
	w.artifact("in/version", "1.2.2\n")
	for _, params := range []keys{{"file": "in/version"}, {"bump": "1.0.0"}} {
		said := w.refused(params)
		assert.Contains(t, said, "would become lower")
		assert.Contains(t, said, "allow_downgrade: true permits it")
	}
	assert.Equal(t, "1.2.2", w.put(keys{"file": "in/version", "allow_downgrade": true}).version.Number)
}

// The message is the one that was asked for, the file keeps its mode, everything
// else on the branch stays, and the trailers say which build it was.
func TestCommitOfAPut(t *testing.T) {
	w := newWorld(t)
	series := w.repo.Import()
	series.Commit("version", "init").Exec("ci/number", "1.2.3\n").Write("other", "stays\n")
	require.NoError(t, series.Done())
	w = w.with(keys{"file": "ci/number", "commit_message": "chore: %file% is %version% [skip ci]", "git_user": "Gogh Fir <gf@example.com>"})
	s := w.put(keys{"bump": "major"})
	log, err := w.repo.Git("log", "-1", "--format=%an|%ae|%cn|%B", s.version.Commit)
	require.NoError(t, err)
	assert.Regexp(t, `^Gogh Fir\|gf@example.com\|Gogh Fir\|chore: ci/number is 2.0.0 \[skip ci\]

Build: https://ci.example.org/teams/main/pipelines/release/jobs/build-rc/builds/7
Pipeline: main/release/build-rc #7
Put: [A-Z0-9]{26}
`, log)
	files, err := w.repo.Files("version")
	require.NoError(t, err)
	assert.Equal(t, []string{"100755 ci/number", "100644 other"}, files)
	assert.Equal(t, "foo <foo@example.com>", author(t, w.with(keys{"git_user": "foo@example.com"})))
}

func author(t *testing.T, w *world) string {
	t.Helper()
	s := w.put(keys{"bump": "minor"})
	log, err := w.repo.Log("%an <%ae>", "-1", s.version.Commit)
	require.NoError(t, err)
	return strings.Join(log, "\n")
}

// An unreadable file is no base for a bump, and is replaced by a version that
// is set.
func TestUnreadableVersionIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.is("v1.2\n")
	assert.Contains(t, w.refused(keys{"bump": "patch"}), "put a version with params.file")
	w.artifact("in/version", "1.2.0\n")
	s := w.put(keys{"file": "in/version"})
	assert.Contains(t, s.stderr, "it is replaced")
}

// What may not be written through is refused.
func TestOddPlacesAreRefused(t *testing.T) {
	w := newWorld(t)
	series := w.repo.Import()
	series.Commit("version", "init").Link("version", "other").Write("dir/a", "1.2.3\n")
	require.NoError(t, series.Done())
	assert.Contains(t, w.refused(keys{"bump": "patch"}), "not a regular file")
	assert.Contains(t, w.with(keys{"file": "dir"}).refused(keys{"bump": "patch"}), "not a regular file")
	w.artifact("in/version/x", "1")
	assert.Contains(t, w.refused(keys{"file": "in/version"}), "is not a file")
	assert.Contains(t, w.refused(keys{"file": "../x"}), "leaves the build's folder")
	assert.Contains(t, w.refused(keys{"file": "nowhere/version"}), "does not exist")
	assert.Contains(t, w.refused(keys{"bump": "conventional", "repository": "in"}), "git resource")
}

// Params that don't go together are named before anything is read.
func TestParamsThatDoNotGoTogether(t *testing.T) {
	w := newWorld(t)
	for want, params := range map[string]keys{
		"bump: is required, or one of file":                   {},
		"file: sets the version, so it does not go with bump": {"file": "a/b", "pre": "rc"},
		"is not one of major, minor, patch, final":            {"bump": "mayor"},
		"conventional, or a whole version":                    {"bump": "1.2"},
		"may have only letters":                               {"pre": "r_c"},
		"the build \"a_b\" may have only":                     {"build": "a_b"},
		"repository: is required for bump":                    {"bump": "conventional"},
		"repository: is required for tag":                     {"bump": "patch", "tag": true},
		"repository: is required for changelog":               {"bump": "patch", "changelog": "C.md"},
		"no_bump: is for bump":                                {"bump": "patch", "repository": "r", "no_bump": "fail"},
		"not one of keep, fail, patch":                        {"bump": "conventional", "repository": "r", "no_bump": "no"},
		"not a path inside the repository":                    {"bump": "patch", "repository": "r", "changelog": "../C.md"},
		"goes with pre here, but not with":                    {"bump": "conventional", "repository": "r", "build": "x"},
		`unknown key "bmup", did you mean "bump"?`:            {"bmup": "patch"},
		"get_latest: changes nothing, so it does not go with": {"get_latest": true, "file": "a/b"},
	} {
		assert.Contains(t, w.refused(params), want, "%v", params)
	}
	assert.Empty(t, w.server.Requests())
}

func TestSourcesThatCanNotBeRight(t *testing.T) {
	w := newWorld(t)
	for want, source := range map[string]keys{
		`driver: "s3" is not supported, only git`:            {"driver": "s3"},
		"initial_version: \"1.2\" is not a semantic version": {"initial_version": "1.2"},
		"file: \"../x\" is not a path inside":                {"file": "../x"},
		"commit_types: feat":                                 {"commit_types": keys{"feat": "huge"}},
		"paths: \"/a\" is not a pattern of paths":            {"paths": []string{"/a"}},
		`unknown key "bucket"`:                               {"bucket": "x"},
		"git_user: \"nobody\" is not of the form":            {"git_user": "nobody"},
	} {
		s := w.with(source).tryCheck(nil)
		assert.Equal(t, 1, s.status)
		assert.Contains(t, s.stderr, want)
	}
	assert.Empty(t, w.server.Requests())
}
