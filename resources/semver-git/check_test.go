package semvergit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// cost is what a server was asked since the last reset.
func cost(server *gittest.Server) (requests, wants int, bytes int64) {
	for _, r := range server.Requests() {
		requests++
		wants += r.Wants
		bytes += r.Out
	}
	return requests, wants, bytes
}

// A check where nothing moved asks for the refs once, and for no object.
func TestUnchangedCheck(t *testing.T) {
	w := newWorld(t)
	h := w.is("1.2.3\n")
	onMain := w.with(keys{"branch": "main"})
	first, err := w.repo.Commit("main", "init", map[string]string{"version": "3.0.0\n"})
	require.NoError(t, err)
	w.code("feat: something else")
	for name, c := range map[string]struct {
		w     *world
		given any
		want  semvergit.Version
	}{
		"the given version":             {w, keys{"number": "1.2.3", "commit": h}, semvergit.Version{Number: "1.2.3", Commit: h}},
		"none given":                    {w, nil, semvergit.Version{Number: "1.2.3", Commit: h}},
		"a number of the older type":    {w, keys{"number": "1.2.3"}, semvergit.Version{Number: "1.2.3", Commit: h}},
		"the branch went on":            {onMain, keys{"number": "3.0.0", "commit": first}, semvergit.Version{Number: "3.0.0", Commit: first}},
		"no such file":                  {w.with(keys{"file": "none"}), keys{"number": "0.0.0"}, semvergit.Version{Number: "0.0.0"}},
		"no such branch":                {w.with(keys{"branch": "none"}), keys{"number": "0.0.0"}, semvergit.Version{Number: "0.0.0"}},
		"an initial version of its own": {w.with(keys{"branch": "none", "initial_version": "1.0.0-rc.1"}), nil, semvergit.Version{Number: "1.0.0-rc.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, []semvergit.Version{c.want}, c.w.check(c.given))
			w.server.Reset()
			assert.Equal(t, []semvergit.Version{c.want}, c.w.check(c.given))
			requests, wants, bytes := cost(w.server)
			assert.Equal(t, 1, requests)
			assert.Zero(t, wants, "objects were fetched")
			assert.Less(t, bytes, int64(200))
		})
	}
}

// One changed digit in the cache is a miss: no check answers a commit that does not exist.
func TestAFlippedDigitInTheCacheIsAMiss(t *testing.T) {
	w := newWorld(t)
	w.is("1.2.3\n")
	require.Len(t, w.check(nil), 1)
	h := w.is("1.2.4\n")
	now := []semvergit.Version{{Number: "1.2.4", Commit: h}}
	assert.Equal(t, now, w.check(nil))

	answers, err := filepath.Glob(filepath.Join(os.TempDir(), "taxiway-semver-git-*", "answer"))
	require.NoError(t, err)
	require.Len(t, answers, 1)
	good, err := os.ReadFile(answers[0])
	require.NoError(t, err)
	at := strings.Index(string(good), h)
	require.Positive(t, at)
	for i := range 40 {
		bad := slices.Clone(good)
		bad[at+i] ^= 1
		require.NoError(t, os.WriteFile(answers[0], bad, 0o600))
		assert.Equal(t, now, w.check(nil), "digit %d", i)
		again, err := os.ReadFile(answers[0])
		require.NoError(t, err)
		assert.Equal(t, string(good), string(again))
	}
}

// After one new commit, a second check fetches that commit and its file, whatever the history holds.
func TestAWarmCheckFetchesWhatIsNew(t *testing.T) {
	const count = 2000
	w := newWorld(t)
	manyVersions(t, w, count)
	given := &semvergit.Version{Number: "1.0.0"}
	w.server.Reset()
	require.Len(t, w.check(given), count)
	requests, _, bytes := cost(w.server)
	t.Logf("cold: %d requests, %d bytes", requests, bytes)
	require.Greater(t, bytes, int64(100_000))

	w.is("2.0.0\n")
	w.server.Reset()
	got := w.check(given)
	require.Len(t, got, count+1)
	assert.Equal(t, "2.0.0", got[count].Number)
	requests, _, bytes = cost(w.server)
	t.Logf("after one commit: %d requests, %d bytes", requests, bytes)
	assert.LessOrEqual(t, requests, 4)
	assert.Less(t, bytes, int64(4<<10))
}

// A check from a version far back fetches history as far as that version, in few requests: less than a clone
// without blobs, which has no version's file yet.
func TestACheckFromFarBackIsCheaperThanAClone(t *testing.T) {
	const back = 2000
	w := newWorld(t)
	manyVersions(t, w, 30_000)
	old, err := w.repo.Git("rev-parse", fmt.Sprintf("version~%d", back))
	require.NoError(t, err)
	old = strings.TrimSpace(old)
	number, err := w.repo.Git("show", old+":version")
	require.NoError(t, err)
	number = strings.TrimSpace(number)
	w.server.Reset()
	output, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "--bare", "--filter=blob:none", w.repo.URL(), t.TempDir()).CombinedOutput()
	require.NoError(t, err, "%s", output)
	_, _, clone := cost(w.server)
	for name, given := range map[string]keys{"number": {"number": number}, "number and commit": {"number": number, "commit": old}} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			w.server.Reset()
			got := w.check(given)
			require.Len(t, got, back+1)
			assert.Equal(t, semvergit.Version{Number: number, Commit: old}, got[0])
			requests, _, bytes := cost(w.server)
			t.Logf("%d requests, %d bytes; the clone %d bytes", requests, bytes, clone)
			assert.LessOrEqual(t, requests, 4, "refs, the newest, further back, all files")
			assert.Less(t, bytes, clone/5)
		})
	}
}

// manyVersions fills the branch with 1.0.0, 1.0.1 and so on.
func manyVersions(tb testing.TB, w *world, count int) {
	tb.Helper()
	series := w.repo.Import()
	for i := range count {
		number := fmt.Sprintf("1.%d.%d", i/100, i%100)
		series.Commit("version", "bump to "+number).Write("version", number+"\n")
	}
	require.NoError(tb, series.Done())
	_, err := w.repo.Git("repack", "-adq")
	require.NoError(tb, err)
}

// A check without a cache on a long history fetches a bounded part of it, while
// a clone of the branch is far larger; and all versions since one come in order.
func TestColdCheckOfTenThousandVersions(t *testing.T) {
	const (
		count = 10_000
		whole = 1_000_000 // bytes; a full history has more
		small = 40_000    // bytes; what a hundred commits take
	)
	w := newWorld(t)
	manyVersions(t, w, count)
	w.server.Reset()
	now := w.check(nil)
	require.Len(t, now, 1)
	assert.Equal(t, "1.99.99", now[0].Number)
	requests, _, bytes := cost(w.server)
	t.Logf("the current of %d versions: %d requests, %d bytes", count, requests, bytes)
	assert.LessOrEqual(t, requests, 4)
	assert.Less(t, bytes, int64(small))

	w.server.Reset()
	since := w.check(keys{"number": "1.2.0"})
	_, _, all := cost(w.server)
	t.Logf("%d versions since 1.2.0: %d bytes", len(since), all)
	assert.Greater(t, all, int64(whole), "the limit above would say nothing")
	require.Len(t, since, count-200)
	for i, v := range since {
		require.Equal(t, fmt.Sprintf("1.%d.%d", (200+i)/100, i%100), v.Number)
		require.NotEmpty(t, v.Commit)
	}

	// The next version costs as little again.
	latest := since[len(since)-1]
	h := w.is("2.0.0\n")
	w.server.Reset()
	assert.Equal(t, []semvergit.Version{latest, {Number: "2.0.0", Commit: h}}, w.check(latest))
	_, _, bytes = cost(w.server)
	assert.Less(t, bytes, int64(small))

	w.server.Reset()
	assert.Equal(t, "2.0.1", w.put(keys{"bump": "patch"}).version.Number)
	requests, _, bytes = cost(w.server)
	t.Logf("a put: %d requests, %d bytes", requests, bytes)
	assert.Less(t, bytes, int64(small))
}

func TestCheckSince(t *testing.T) {
	w := newWorld(t)
	var all []semvergit.Version
	for _, number := range []string{"1.1.0", "1.2.0", "1.2.1-rc.1", "1.2.1", "1.3.0"} {
		all = append(all, semvergit.Version{Number: number, Commit: w.is(number + "\n")})
	}
	for _, c := range []struct {
		given any
		want  []semvergit.Version
	}{
		{keys{"number": "1.2.0"}, all[1:]},
		{all[1], all[1:]},
		{all[4], all[4:]},
		{all[0], all},
		{keys{"number": "0.0.0"}, all},                        // the initial version, and below all
		{keys{"number": "1.1.5"}, all[1:]},                    // never there: those above it
		{keys{"number": "9.0.0"}, all[4:]},                    // above all
		{keys{"number": "nonsense"}, all[4:]},                 // no version
		{keys{"number": "1.2.0", "commit": nowhere}, all[4:]}, // forced away
	} {
		assert.Equal(t, c.want, w.check(c.given), "%v", c.given)
	}
}

// A version that comes back is a new version, with a commit of its own.
func TestVersionThatComesBack(t *testing.T) {
	w := newWorld(t)
	first := semvergit.Version{Number: "1.0.0", Commit: w.is("1.0.0\n")}
	second := semvergit.Version{Number: "1.1.0", Commit: w.is("1.1.0\n")}
	w.artifact("in/version", "1.0.0")
	third := w.put(keys{"file": "in/version", "allow_downgrade": true}).version
	assert.NotEqual(t, first, third)
	assert.Equal(t, []semvergit.Version{first, second, third}, w.check(first))
	assert.Equal(t, []semvergit.Version{second, third}, w.check(keys{"number": "1.1.0"}), "a number above the tip's is in the history all the same")
}

// What is not a version is answered as README.md says, by check and by put.
func TestContents(t *testing.T) {
	for name, c := range map[string]struct{ content, number, problem string }{
		"plain":              {"1.2.3\n", "1.2.3", ""},
		"no newline":         {"1.2.3", "1.2.3", ""},
		"spaces and CRLF":    {"  1.2.3 \r\n", "1.2.3", ""},
		"empty":              {"", "0.0.0", ""},
		"only white space":   {"\r\n \n", "0.0.0", ""},
		"two numbers":        {"1.2\n", "", "it needs three numbers, as in 1.2.0"},
		"a prefix":           {"v1.2.3\n", "", "write 1.2.3, a prefix belongs only into tags"},
		"two lines":          {"1.2.3\n1.2.4\n", "", "it has several lines"},
		"leading zero":       {"1.02.3\n", "", "begins with a zero"},
		"not a version":      {"<html>\n", "", "version"},
		"a very long number": {"1.2.99999999999999999999\n", "", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			series := w.repo.Import()
			series.Commit("version", "by hand").Write("version", c.content)
			require.NoError(t, series.Done())
			s := w.tryCheck(nil)
			if c.problem != "" {
				assert.Equal(t, 1, s.status)
				assert.Empty(t, s.stdout)
				for _, part := range []string{c.problem, "file version on branch version of " + w.repo.URL()} {
					assert.Contains(t, s.stderr, part)
				}
				w.refused(keys{"bump": "patch"})
				return
			}
			require.Zero(t, s.status, s.stderr)
			assert.Equal(t, c.number, w.check(nil)[0].Number)
			next := w.put(keys{"bump": "patch"}).version.Number
			assert.Contains(t, []string{"1.2.4", "0.0.1"}, next)
		})
	}
}
