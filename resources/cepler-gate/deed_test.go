package ceplergate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
)

// A button moves the gate in the name of who pressed it, and twice does no harm.
func TestDeeds(t *testing.T) {
	w, record := behind(t)
	pull := w.propose()

	opened := w.put(ceplergate.PutParams{Open: true})
	assert.Equal(t, record, opened.Version.Gate)
	assert.Contains(t, opened.Metadata, concourse.Field{Name: "open", Value: "by ana"})
	assert.Contains(t, w.gatesFile("gates"), "production: "+record+" # by hand")
	log, err := w.repo.Git().Log("%an|%cn|%s|%b", "-1", "gates")
	require.NoError(t, err)
	requireParts(t, strings.Join(log, "\n"), "ana|gate bot|gate: open production up to "+record[:7], "Build: https://ci.example/builds/9")
	assert.Equal(t, "ana", w.get(opened.Version)["by"])
	closed, err := w.repo.Pull(pull.Number)
	require.NoError(t, err)
	assert.False(t, closed.Open, "its pull request has nothing left")
	tip := w.tip("gates")
	assert.Equal(t, opened.Version, w.put(ceplergate.PutParams{Open: true}).Version)
	assert.Equal(t, tip, w.tip("gates"))
	assert.Contains(t, w.logged(), "is open to "+record[:7]+" already")

	w.src.GitHub = nil
	shut := w.put(ceplergate.PutParams{Close: true})
	assert.Equal(t, record, w.get(shut.Version)["previous"])
	assert.NotEqual(t, record, shut.Version.Gate)
	assert.False(t, w.offered(), "production gets nothing more")
	assert.Equal(t, shut.Version, w.put(ceplergate.PutParams{Close: true}).Version)

	w.gates("production:\n  commit: " + record + "\n  approvals: {need: 1}\n")
	assert.False(t, w.offered())
	w.put(ceplergate.PutParams{Approve: true})
	assert.Contains(t, w.gatesFile("gates"), "given: [{by: ana, commit: "+record+"}]")
	assert.True(t, w.offered())

	// nobody knows who started it
	step := w.step("")
	step.Build.CreatedBy = ""
	for _, c := range []struct {
		params    ceplergate.PutParams
		anonymous bool
		says      string
	}{
		{ceplergate.PutParams{Open: true}, false, "params.open: nobody knows who started this build"},
		{ceplergate.PutParams{Close: true}, false, "set source.allow_anonymous: true"},
		{ceplergate.PutParams{Approve: true}, true, "params.approve: nobody knows who started this build"},
		{ceplergate.PutParams{Open: true, Close: true}, true, "open and close exclude each other"},
		{ceplergate.PutParams{}, true, "source.github: is required to keep a pull request"},
	} {
		w.src.AllowAnonymous = c.anonymous
		_, err := ceplergate.Resource{}.Out(t.Context(), step, w.src, c.params)
		require.ErrorContains(t, err, c.says)
	}
	_, err = ceplergate.Resource{}.Out(t.Context(), step, w.src, ceplergate.PutParams{Close: true})
	require.NoError(t, err)
	log, err = w.repo.Git().Log("%an", "-1", "gates")
	require.NoError(t, err)
	assert.Equal(t, []string{"gate bot"}, log)
}

// A check costs one ref advertisement while nothing moved, and answers from what a person can know.
func TestCheck(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t)
	first := w.check(nil)
	require.Len(t, first, 1)
	assert.Equal(t, "HEAD", first[0].Gate)
	w.git.Reset()
	assert.Equal(t, first, w.check(&first[0]))
	w.git.Reset()
	assert.Equal(t, first, w.check(&first[0]))
	assert.Len(t, w.git.Requests(), 1)

	w.gates("qa: 1234567\nproduction: HEAD\n") // another one's
	assert.Equal(t, first, w.check(&first[0]))
	second := w.gates("production: 1234567\n")
	w.gates("production: {\n") // does not parse
	w.gates("production: 1234567 # the same\n")
	third := w.gates("qa: HEAD\n")
	want := []ceplergate.Version{first[0], {Commit: second, Gate: "1234567"}, {Commit: third}}
	assert.Equal(t, want, w.check(&first[0]))
	assert.Equal(t, want[1:], w.check(&ceplergate.Version{Commit: second[:8]}))
	assert.Equal(t, want[2:], w.check(nil))
	assert.Equal(t, want[2:], w.check(&ceplergate.Version{Commit: strings.Repeat("12", 20)}), "history was rewritten")
	assert.Equal(t, "", w.get(want[2])["gate"])
	assert.Equal(t, "rosa", w.get(want[1])["by"])

	w.src.Environment = "staging"
	assert.Equal(t, []ceplergate.Version{}, w.check(nil))
}

// What each step asks git for, and that it is little.
func TestCostOfEachStep(t *testing.T) {
	w, _ := behind(t)
	cost := func(want string, most int64, step func()) {
		t.Helper()
		t.Setenv("TMPDIR", t.TempDir())
		w.git.Reset()
		step()
		requests, size := w.git.Asked()
		assert.Equal(t, want, requests)
		assert.LessOrEqual(t, size, most)
	}
	var v ceplergate.Version
	cost("GET-git-receive-pack fetch fetch fetch POST-git-receive-pack ls-refs GET-git-receive-pack ls-refs", 10_000, func() { v = w.put(ceplergate.PutParams{Open: true}).Version })
	cost("ls-refs fetch fetch GET-git-receive-pack fetch ls-refs fetch", 10_000, func() { w.put(ceplergate.PutParams{}) })
	cost("ls-refs fetch fetch fetch", 3000, func() { w.check(nil) })
	cost("ls-refs"+strings.Repeat(" fetch", 6), 12_000, func() {
		_, err := ceplergate.Resource{}.In(t.Context(), w.step(t.TempDir()), w.src, v, ceplergate.GetParams{})
		require.NoError(t, err)
	})
}
